"""The marks that reasoning models write around reasoning and answer, and where they stand in a text."""

from __future__ import annotations

import re
from typing import NamedTuple

from tunixrt_core.ingest.reasoning.steps import Span, Sure, stripped


class Marked(NamedTuple):
    """Where marks say that reasoning and answer stand. `plain`: nothing within the answer is to be looked for."""

    name: str
    reasoning: Span
    answer: Span
    sure: Sure
    why: str
    plain: bool = False


OPENERS = ("<think>", "<reasoning>", "<|begin_of_thought|>", "<|channel>thought")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_TAGS = re.compile(r"\s*<reasoning>(?P<steps>.*?)</reasoning>\s*<answer>(?P<answer>.*)</answer>\s*", re.DOTALL)


def find_marks(text: str) -> Marked | None:
    """The first marks that the text is written with; None where it has none, or reasoning that is never closed."""
    return _tags(text) or _thought(text) or _channel(text) or _think(text)


def _tags(text: str) -> Marked | None:
    found = _TAGS.fullmatch(text) if "<reasoning>" in text else None
    if found is None:
        return None
    why = "<reasoning> and <answer> mark them"
    return Marked("tags", Span(*found.span("steps")), Span(*found.span("answer")), "high", why, plain=True)


def _thought(text: str) -> Marked | None:
    bounds = _between(text, "<|begin_of_thought|>", "<|end_of_thought|>")
    if bounds is None:
        return None
    reasoning, rest = bounds
    begins, ends = (text.find(f"<|{word}_of_solution|>", rest) for word in ("begin", "end"))
    start = rest if begins < 0 else begins + len("<|begin_of_solution|>")
    answer = Span(start, len(text) if ends < start else ends)
    return Marked("thought", reasoning, answer, "high", "<|begin_of_thought|> and its solution mark them")


def _channel(text: str) -> Marked | None:
    bounds = _between(text, "<|channel>thought", "<channel|>")
    if bounds is None:
        return None
    reasoning, rest = bounds
    return Marked("channel", reasoning, Span(rest, len(text)), "high", "a thought channel marks the reasoning")


def _think(text: str) -> Marked | None:
    end = text.find("</think>")
    if end < 0:
        return None
    rest = Span(end + len("</think>"), len(text))
    opened = text.find("<think>", 0, end)
    if opened < 0:
        why = "</think> ends the reasoning; its opening tag is missing"
        return Marked("unopened", Span(0, end), rest, "medium", why)
    sure: Sure = "low" if text[:opened].strip() else "high"
    why = "text stands before <think>" if sure == "low" else "<think> marks the reasoning"
    return Marked("think", Span(opened + len("<think>"), end), rest, sure, why)


def _between(text: str, opener: str, closer: str) -> tuple[Span, int] | None:
    """The stretch between two marks of which the first begins the text, and where the second ends."""
    begins = len(text) - len(text.lstrip())
    if not text.startswith(opener, begins) or (ends := text.find(closer, begins)) < 0:
        return None
    return Span(begins + len(opener), ends), ends + len(closer)


def hashes(text: str, stretch: Span) -> tuple[Span, Span] | None:
    """What stands before a last line `#### answer`, and the answer."""
    inner = stripped(text, *stretch)
    line = max(text.rfind("\n", *inner) + 1, inner.start)
    if not text[line : inner.end].lstrip().startswith("####"):
        return None
    return Span(stretch.start, line), stripped(text, text.index("####", line) + 4, inner.end)


def boxed(text: str, stretch: Span) -> Span | None:
    """The inside of the last `\\boxed{...}` whose braces close; None where there is none, or it is blank."""
    end = stretch.end
    while (start := text.rfind("\\boxed{", stretch.start, end)) >= 0:
        inside = _braced(text, start + len("\\boxed{"), stretch.end)
        if inside and text[slice(*inside)].strip():
            return stripped(text, *inside)
        end = start
    return None


def _braced(text: str, start: int, end: int) -> Span | None:
    depth = 1
    for found in _BRACES.finditer(text, start, end):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return Span(start, found.start())
    return None


def is_bare(text: str, stretch: Span, box: Span) -> bool:
    """Whether nothing is said around the box."""
    before = text[stretch.start : box.start].rstrip().removesuffix("\\boxed{")
    return not any(c.isalnum() for c in before + text[box.end : stretch.end])
