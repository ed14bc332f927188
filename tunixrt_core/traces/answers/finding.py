"""The final answer in a free text, in any known form, and its position."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tunixrt_core.traces.answers.reading.amounts import read_number


class Form(StrEnum):
    """How an answer was marked in a text, surest first."""

    STYLE = "style"
    """In the run's own reasoning style."""
    TAGS = "tags"
    """`<answer>7</answer>`"""
    BOXED = "boxed"
    r"""`\boxed{7}`"""
    HASHES = "hashes"
    """`#### 7`"""
    SAID = "said"
    """`The answer is 7`, `Answer: 7`"""
    LETTER = "letter"
    """A line with the letter of an option and nothing else, or with its text."""
    NUMBER = "number"
    """The last number of the text."""


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, its form, and its place: `text[start:end]` is the answer."""

    answer: str
    form: Form
    start: int
    end: int


Place = tuple[int, int]

_THOUGHT = re.compile(
    r"</(?:think|thinking|thought|reasoning)>|\[/THINK\]|<\|end_of_thought\|>|<channel\|>|<\|channel\|>final<\|message\|>"
)
_OPENED = re.compile(r"<(?:think|thinking|thought)>|\[THINK\]|<\|begin_of_thought\|>|<\|channel>thought")
_TAGS = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL | re.IGNORECASE)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)")
_BRACE = re.compile(r"[{}]")
_HASHES = re.compile(r"^[ \t]*####[ \t]*(\S(?:[^\n]*[^ \t\n])?)[ \t]*$", re.MULTILINE)
_SAID = re.compile(
    r"\b(?:answer|option|choice)\s*+"
    r"(?:(?:to\s+(?:the|this)\s+(?:question|problem)|choice)\s*+)?(?:\*\*|__)?\s*+"
    r"(?:(?:is|are|was|would be|will be|must be|should be|equals)\b\s*:?|:|=(?!=))\s*(?:\*\*(?=\s)|__(?=\s))?\s*",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(
    r"(?<!\b[A-Z])(?<!\bDr)(?<!\bSt)(?<!\bMr)[.!?](?=\s|$)|\n|<(?:/|\|)|\s+(?:because|since|so that)\b"
)
_LETTER = re.compile(r"^[ \t]*(?:\*\*)?[(\[]?([A-J])(?:[)\]][.:]?|[.:])?(?:\*\*)?[ \t]*+(?:[.][ \t]*+)?$", re.MULTILINE)
_OPTION = re.compile(r"^[ \t]*((?:[(\[][A-J][)\]]|[A-J][).:])[ \t]+\S[^\n]{0,200})$", re.MULTILINE)
_NUMBER = re.compile(
    r"(?<![\w.,/^{])[-+−]?[$€£]?(?:\d{1,3}(?:,\d{3})+(?![\d])(?:\.\d+)?|\d+\s*/\s*\d+|\d+(?:\.\d+)?)(?:\s?%)?(?![\w^}]|[.,/]\d)"
)
_LONGEST_SAID = 400
_LONGEST_END = 40  # characters that the end of a sentence may take


def find_answer(text: str, own: str | None = None) -> Found | None:
    """The final answer of what a model wrote. None where none can be seen.

    `own` is the answer that the run's own reasoning style finds in it, if any. Otherwise the forms of `Form` are tried
    in their order, and within one form the last match counts. Matches inside a thought are ignored; a text that ends in
    the middle of a thought has no answer.
    """
    if own and (start := text.rfind(own)) >= 0:
        return Found(own, Form.STYLE, start, start + len(own))
    begin = _after_thought(text)
    if begin is None:
        return None
    for form, find in _FINDERS:
        if (place := find(text, begin)) is not None and (trimmed := _trimmed(text, *place)) is not None:
            return Found(text[slice(*trimmed)], form, *trimmed)
    return None


def _after_thought(text: str) -> int | None:
    ends = [found.end() for found in _THOUGHT.finditer(text)]
    last = ends[-1] if ends else 0
    opened = _OPENED.search(text, last)
    return None if opened is not None else last


def _trimmed(text: str, start: int, end: int) -> Place | None:
    """Without white space, the marks of emphasis and a full stop around it; None where nothing is left."""
    while start < end and text[start] in " \t\r\n*_`":
        start += 1
    while start < end and (text[end - 1] in " \t\r\n*`" or (text[end - 1] in ".,;" and text[end - 3 : end] != "...")):
        end -= 1
    return (start, end) if start < end else None


def _tags(text: str, begin: int) -> Place | None:
    found = list(_TAGS.finditer(text, begin))
    return found[-1].span(1) if found else None


def _boxed(text: str, begin: int) -> Place | None:
    """The inside of the last box whose braces are closed."""
    boxes = list(_BOX.finditer(text, begin))
    if not boxes:
        return None
    closes: dict[int, int] = {}
    opened: list[int] = []
    for brace in _BRACE.finditer(text, begin):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened:
            closes[opened.pop()] = brace.start()
    at = next((found.end() for found in reversed(boxes) if found.end() in closes), None)
    return None if at is None else (at + 1, closes[at])


def _hashes(text: str, begin: int) -> Place | None:
    found = list(_HASHES.finditer(text, begin))
    return found[-1].span(1) if found else None


def _said(text: str, begin: int) -> Place | None:
    """What follows the last `answer is` up to the end of its sentence."""
    stop = behind = len(text)
    for found in reversed(list(_SAID.finditer(text, begin))):
        # what is behind the next one was looked through for that
        end = _SENTENCE_END.search(text, found.end(), behind + _LONGEST_END)
        stop = end.start() if end is not None and end.start() < behind else stop
        behind = found.end()
        if found.end() < stop <= found.end() + _LONGEST_SAID:
            return found.end(), stop
    return None


def _letter(text: str, begin: int) -> Place | None:
    """The letter of an option on a line of its own; options that are listed are no answer."""
    alone = list(_LETTER.finditer(text, begin))
    if alone:
        return alone[-1].span(1)
    listed = list(_OPTION.finditer(text, begin))
    last = listed[-1] if len(listed) == 1 else None
    return last.span(1) if last is not None and not text[last.end() :].strip() else None


def _number(text: str, begin: int) -> Place | None:
    for found in reversed(list(_NUMBER.finditer(text, begin))):
        if read_number(found[0]) is not None:
            return found.span()
    return None


_FINDERS: tuple[tuple[Form, Callable[[str, int], Place | None]], ...] = (
    (Form.TAGS, _tags),
    (Form.BOXED, _boxed),
    (Form.HASHES, _hashes),
    (Form.SAID, _said),
    (Form.LETTER, _letter),
    (Form.NUMBER, _number),
)
