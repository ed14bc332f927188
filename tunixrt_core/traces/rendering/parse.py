"""Completion -> steps and answer: of what a model wrote, and of what was exported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tunixrt_core.traces.rendering.styles import ReasoningStyle


@dataclass(frozen=True, slots=True)
class ParsedCompletion:
    """What a completion says. `answer` is None, and `steps` may be, where the expected structure is not there."""

    steps: tuple[str, ...]
    answer: str | None


_TAGS = re.compile(r"(?:<reasoning>(?P<body>.*?)</reasoning>\s*)?<answer>(?P<answer>.*?)</answer>", re.DOTALL)
_THINK = re.compile(r"(?:<think>|<\|channel>thought\n)?(?P<body>.*?)(?:</think>|<channel\|>)(?P<answer>.*)", re.DOTALL)
_PLAIN = re.compile(r"(?P<body>.*?)^#### ?(?P<answer>[^\n]*)", re.DOTALL | re.MULTILINE)
_NUMBERED = re.compile(r"(?P<body>.*)^Answer: ?(?P<answer>.*)", re.DOTALL | re.MULTILINE)
_PATTERNS = {
    ReasoningStyle.TAGS: _TAGS,
    ReasoningStyle.THINK: _THINK,
    ReasoningStyle.PLAIN: _PLAIN,
    ReasoningStyle.NUMBERED: _NUMBERED,
}


def parse_completion(text: str, style: ReasoningStyle) -> ParsedCompletion:
    """The inverse of `render_completion`, for what a model wrote. Steps are the non-blank lines of the reasoning; in
    the numbered style each goes on until the next number.
    """
    if style is ReasoningStyle.ANSWER:
        return ParsedCompletion((), text.strip() or None)
    split = _numbered if style is ReasoningStyle.NUMBERED else _lines
    found = _PATTERNS[style].search(text)
    if found is None:
        return ParsedCompletion(split(text), None)
    return ParsedCompletion(split(found["body"] or ""), found["answer"].strip() or None)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.split("\n") if line.strip())


def _numbered(text: str) -> tuple[str, ...]:
    """The steps that begin `1. `, `2. ` and so on; the lines where nothing is numbered."""
    steps: list[list[str]] = []
    before: list[str] = []
    for line in text.split("\n"):
        mark = f"{len(steps) + 1}. "
        if line.lstrip().startswith(mark):
            steps.append([line.lstrip().removeprefix(mark)])
        else:
            (steps[-1] if steps else before).append(line)
    if not steps:
        return _lines(text)
    said = ["\n".join(lines).strip() for lines in (before, *steps)]
    return tuple(step for step in said if step)


def take_apart(text: str, style: ReasoningStyle, lengths: Sequence[int]) -> ParsedCompletion | None:
    """Steps and answer of what `render_completion` wrote, exactly, from the characters that each step has.

    None where the text is another. Whatever the steps hold, nothing is guessed.
    """
    if style is ReasoningStyle.ANSWER:
        return ParsedCompletion((), text) if not lengths else None
    steps: list[str] = []
    at = 0
    for mark, length in zip(_marks(style, len(lengths)), [*lengths, None], strict=True):
        if not text.startswith(mark, at):
            return None
        at += len(mark)
        if length is not None:
            steps.append(text[at : at + length])
            at += length
    closed = "</answer>" if style is ReasoningStyle.TAGS else ""
    if not text.endswith(closed) or len(text) - len(closed) < at:
        return None
    return ParsedCompletion(tuple(steps), text[at : len(text) - len(closed)])


# what stands before the first step, and between the last one and the answer
_FRAMES = {
    ReasoningStyle.TAGS: ("<reasoning>\n", "\n</reasoning>\n<answer>"),
    ReasoningStyle.THINK: ("<think>\n", "\n</think>\n\n"),
    ReasoningStyle.PLAIN: ("", "\n#### "),
    ReasoningStyle.NUMBERED: ("1. ", "\n\nAnswer: "),
}


def _marks(style: ReasoningStyle, steps: int) -> Iterator[str]:
    """What stands before each step, and before the answer."""
    opened, closed = _FRAMES[style]
    if not steps:
        framed = style in (ReasoningStyle.TAGS, ReasoningStyle.THINK)
        yield opened + closed if framed else closed.lstrip("\n")
        return
    yield opened
    yield from (f"\n{number}. " if style is ReasoningStyle.NUMBERED else "\n" for number in range(2, steps + 1))
    yield closed
