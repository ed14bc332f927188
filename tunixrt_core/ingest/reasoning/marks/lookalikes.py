"""What looks like a mark of reasoning, but was not read as one."""

from __future__ import annotations

import re

from tunixrt_core.traces.trace import Trace

_WORDS = (
    *("think", "thought", "reason", "reflect", "rationale", "scratch", "monolog", "ponder", "deliberat", "analysis"),
    *("cot", "brainstorm", "working_out", "inner_", "chain_of"),
)
_MARK = re.compile(
    r"<\|?(?P<tag>/?[A-Za-z][\w:. -]{0,40}?)\|?>|\[(?P<square>/?[A-Za-z][\w:.-]{0,40})\]|◁(?P<odd>/?\w+)▷"
)
# tags that begin an answer and are none of the reasoning's
_USUAL = re.compile(
    r"a|b|i|p|u|s|[bh]r|em|[uo]l|li|t[dhr]|h\d|div|pre|su[bp]|svg|xml|code|html|head|body|span|math|table|style|script"
    r"|strong|title|main|form|input|button|section|article|header|footer|details|summary|blockquote|answer"
)


def mark_unread(trace: Trace) -> str | None:
    """The first text in or around the answer that looks like a mark of reasoning; None where there is none.

    That is a tag with a name for thinking, or one that begins the answer and is closed before its end.
    """
    behind = trace.steps[-trace.layout.solution :] if trace.layout and trace.layout.solution else ()
    for text in [trace.final_answer, *[step.content for step in behind]]:
        if ("<" in text or "[" in text or "◁" in text) and (found := _in(text)):
            return found
    return None


def _in(text: str) -> str | None:
    for found in _MARK.finditer(text):
        name = _name(found)
        if any(word in name for word in _WORDS):
            return found[0]
    if (first := _MARK.match(text)) and not _USUAL.fullmatch(_name(first)) and _name(first)[0] != "/":
        closer = first[0][0] + "/" + first[0][1:]
        end = text.find(closer, first.end())
        if end > 0 and text[end + len(closer) :].strip():
            return first[0]
    return None


def _name(found: re.Match[str]) -> str:
    return next(part for part in found.groups() if part is not None).lower()
