"""A trace as the checks read it: its named parts, its words, and its text as one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from tunixrt_core.traces.trace import Trace

# letters, digits and underscores; marks do not count
WORD = re.compile(r"\w+")


class Place(NamedTuple):
    """A stretch of one part of a trace: `text[start:end]` of `prompt`, `steps[2]` and so on."""

    field: str
    start: int
    end: int

    def to_dict(self) -> dict[str, str | int]:
        return self._asdict()


def parts(trace: Trace) -> Iterator[tuple[str, str]]:
    """`(name, text)` of everything that is rendered, in order: system, prompt, steps, final answer."""
    if trace.system:
        yield "system", trace.system
    yield "prompt", trace.prompt
    for step in trace.steps:
        yield f"steps[{step.i}]", step.content
    yield "final_answer", trace.final_answer


def part(trace: Trace, name: str) -> str:
    """One part by its name; empty where the trace has none of that name."""
    return next((text for known, text in parts(trace) if known == name), "")


def plain_words(text: str) -> list[str]:
    """The words of a text for comparing: NFKC, case-folded."""
    if text.isascii():
        return WORD.findall(text.lower())
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def reasoning(trace: Trace) -> str:
    return "\n".join(step.content for step in trace.steps)


def whole_text(trace: Trace) -> str:
    """Prompt, reasoning and answer, one below the other."""
    return "\n".join((trace.prompt, reasoning(trace), trace.final_answer))
