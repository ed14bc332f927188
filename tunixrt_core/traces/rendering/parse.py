"""Steps and answer of a completion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.styles import ReasoningStyle, completion_pieces
from tunixrt_core.traces.trace import Step


@dataclass(frozen=True, slots=True)
class ParsedCompletion:
    """Steps and answer of a completion. Without the expected structure `answer` is None, and `steps` may be empty.

    `reasoning` is the text that the steps were found in, without the line ends that belong to the marks around it.
    """

    steps: tuple[str, ...]
    answer: str | None
    reasoning: str = field(default="", compare=False)


_TAGS = "<reasoning>", re.compile(r"</reasoning>\s*+<answer>"), "<answer>", "</answer>"
# each matches at the beginning of a text if it does anywhere
_THINK = re.compile(r"(?:<think>|<\|channel>thought\n)?(?P<body>.*?)(?:</think>|<channel\|>)(?P<answer>.*)", re.DOTALL)
_PLAIN = re.compile(r"(?P<body>.*?)^#### ?(?P<answer>[^\n]*)", re.DOTALL | re.MULTILINE)
_NUMBERED = re.compile(r"(?P<body>.*)^Answer: ?(?P<answer>.*)", re.DOTALL | re.MULTILINE)
_PATTERNS = {
    ReasoningStyle.THINK: _THINK,
    ReasoningStyle.PLAIN: _PLAIN,
    ReasoningStyle.NUMBERED: _NUMBERED,
}


def parse_completion(text: str, style: ReasoningStyle) -> ParsedCompletion:
    """The inverse of `render_completion`, for a model's output. Steps are the non-blank lines of the reasoning; in the
    numbered style each ends at the next number.
    """
    if style is ReasoningStyle.ANSWER:
        return ParsedCompletion((), text.strip() or None)
    split = _numbered if style is ReasoningStyle.NUMBERED else _lines
    found = _tagged(text) if style is ReasoningStyle.TAGS else _matched(text, _PATTERNS[style])
    if found is None:
        return ParsedCompletion(split(text), None, text)
    body, answer = found
    return ParsedCompletion(split(body), answer.strip() or None, body.removeprefix("\n").removesuffix("\n"))


def up_to_step(text: str, steps: Sequence[str], count: int) -> str:
    """The beginning of a text that holds these steps, through the last line of the first `count` of them."""
    lines, end = text.splitlines(keepends=True), 0
    for wanted in (line.strip() for step in steps[:count] for line in step.splitlines()):
        # a number or a mark may be before it; text behind it only where all is on one line
        ends = (at for at, line in enumerate(lines[end:], end + 1) if line.rstrip().endswith(wanted))
        holds = (at for at, line in enumerate(lines[end:], end + 1) if wanted in line)
        end = next(ends, next(holds, end))
    return "".join(lines[:end])


def _matched(text: str, pattern: re.Pattern[str]) -> tuple[str, str] | None:
    found = pattern.match(text)
    return None if found is None else (found["body"], found["answer"])


def _tagged(text: str) -> tuple[str, str] | None:
    """Reasoning and answer between their tags; the reasoning is empty where an answer comes before it."""
    opener, middle, answer, closer = _TAGS
    begins, asked = text.find(opener), text.find(answer)
    if begins >= 0 and (asked < 0 or begins < asked or text.find(closer, asked) < 0):
        between = middle.search(text, begins + len(opener))
        ends = text.find(closer, between.end()) if between else -1
        if between and ends >= 0:
            return text[begins + len(opener) : between.start()], text[between.end() : ends]
    ends = text.find(closer, asked + len(answer)) if asked >= 0 else -1
    return None if ends < 0 else ("", text[asked + len(answer) : ends])


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


def parse_rendered(
    text: str,
    style: ReasoningStyle,
    lengths: Sequence[int],
    layout: Layout | None = None,
    answer: str | None = None,
) -> ParsedCompletion | None:
    """The exact steps and answer of a text from `render_completion`, by the number of characters of each step.

    `answer` is required where the layout says that it is part of a step. None where the text is not the one that was
    rendered. Nothing is guessed, whatever the steps hold.
    """
    if style is ReasoningStyle.ANSWER:
        return ParsedCompletion((), text) if not lengths else None
    within = style is ReasoningStyle.THINK and layout is not None and layout.answer_at is not None
    if layout is not None and not _fits(layout, lengths, answer if within else ""):
        return None
    blank = [Step(i, "\0" * length) for i, length in enumerate(lengths)]
    pieces = list(completion_pieces(blank, "\0" * len(answer or "") if within else "", style, layout))
    spare = len(text) - sum(len(piece.text) for piece in pieces)
    if spare < 0 or (within and spare):
        return None
    steps, found, at = [""] * len(lengths), "", 0
    for piece in pieces:
        end = at + len(piece.text) + (spare if piece.kind == "answer" else 0)
        part = text[at:end]
        if piece.kind == "format" and part != piece.text:
            return None
        if piece.kind == "answer":
            found = part
        if piece.kind == "step" or (piece.kind == "answer" and within):
            steps[piece.index if piece.kind == "step" else -1] += part
        at = end
    return ParsedCompletion(tuple(steps), found)


def _fits(layout: Layout, lengths: Sequence[int], answer: str | None) -> bool:
    """Whether a trace with steps so long can have this layout."""
    reasoned = len(lengths) - layout.solution
    if answer is None or reasoned < 0 or (layout.between and len(layout.between) != reasoned + 1):
        return False
    return layout.answer_at is None or (layout.solution > 0 and 0 <= layout.answer_at <= lengths[-1] - len(answer))
