"""Divide a stretch of reasoning into steps, by its numbers, blank lines or lines: spans, nothing is altered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, get_args

from tunixrt_core.errors import UnreadableFile

Rule = Literal["auto", "numbered", "paragraphs", "lines", "none"]
RULES: tuple[Rule, ...] = get_args(Rule)
Sure = Literal["high", "medium", "low"]


class Span(NamedTuple):
    """Characters `start` to `end` of a text."""

    start: int
    end: int


class Division(NamedTuple):
    """The steps of a stretch, by which rule, how sure and why.

    Of a numbered list `mark` is what stands before each item, with `{n}` for its number, and `unnumbered` counts the
    steps before the first item.
    """

    spans: tuple[Span, ...]
    rule: Rule
    sure: Sure
    why: str
    mark: str = ""
    unnumbered: int = 0


_BLANK_LINES = re.compile(r"\n[ \t\r]*\n")
_END = re.compile(r"\n")
# `1. `, `1) `, `Step 1: `, `**Step 1:** `, `### Step 1. `
_ITEM = re.compile(
    r"^(?P<before>[ \t]*(?:[*_#]{1,4}[ \t]?)?)"
    r"(?P<word>[Ss]tep[ \t]+)?(?P<number>\d{1,3})(?(word)[.):]|[.)])(?:[*_]{1,2})?(?:[ \t]+|(?=\r?\n))",
    re.MULTILINE,
)


def rule_named(name: str) -> Rule:
    """The rule of that name. Raises UnreadableFile, listing the known ones."""
    for rule in RULES:
        if rule == name:
            return rule
    raise UnreadableFile(f"There is no rule {name!r} to split steps by. Use one of: {', '.join(RULES)}.")


def divide(text: str, stretch: Span, rule: Rule = "auto") -> Division:
    """The steps of `text[stretch]`. White space around a step is no part of it; blank ones vanish."""
    if rule == "none":
        return Division(_filled(text, [stretch]), "none", "high", "kept in one piece")
    if rule in ("auto", "numbered") and (found := _numbered(text, stretch, strict=rule == "auto")):
        return found
    if rule in ("auto", "paragraphs"):
        spans = _filled(text, _between(text, stretch, _BLANK_LINES))
        if len(spans) > 1 or rule == "paragraphs":
            return Division(spans, "paragraphs", "high", "blank lines stand between the steps")
    spans = _filled(text, _between(text, stretch, _END))
    if len(spans) <= 1:
        return Division(spans, "lines", "high", "there is one line")
    sure: Sure = "low" if rule == "numbered" else "medium"
    return Division(spans, "lines", sure, "there are no blank lines or numbers, so each line is a step")


def stripped(text: str, start: int, end: int) -> Span:
    """The span without the white space at its ends."""
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    return Span(start + left, start + left + len(part.strip()))


def _filled(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    found = (stripped(text, *span) for span in spans)
    return tuple(span for span in found if span.start < span.end)


def _between(text: str, stretch: Span, separator: re.Pattern[str]) -> list[Span]:
    spans, at = [], stretch.start
    for found in separator.finditer(text, *stretch):
        spans.append(Span(at, found.start()))
        at = found.end()
    return [*spans, Span(at, stretch.end)]


def _numbered(text: str, stretch: Span, *, strict: bool) -> Division | None:
    """Items that count 1, 2, 3. Strict: every number that stands like one must belong, and a line may come before."""
    at = stretch.start
    part = text[slice(*stretch)]  # so that its beginning counts as the beginning of a line
    every = list(_ITEM.finditer(part))
    items = list(_counting(every))
    if len(items) < 2 or (strict and len(items) < len(every)):
        return None
    before = _filled(text, [Span(at, at + items[0].start())])
    if strict and before and "\n" in text[slice(*before[0])]:
        return None
    ends = [item.start() for item in items[1:]] + [len(part)]
    spans = [stripped(text, at + item.end(), at + end) for item, end in zip(items, ends, strict=True)]
    if any(span.start >= span.end for span in spans):
        return None
    first = items[0]
    digits = first.start("number") - first.start()
    mark = first[0][:digits] + "{n}" + first[0][digits + len(first["number"]) :]
    sure: Sure = "medium" if before or len(items) < len(every) or _BLANK_LINES.search(text, *spans[-1]) else "high"
    return Division((*before, *spans), "numbered", sure, f"{len(items)} items count from 1", mark, len(before))


def _counting(items: Sequence[re.Match[str]]) -> Iterator[re.Match[str]]:
    wanted = 1
    for item in items:
        if int(item["number"]) == wanted:
            wanted += 1
            yield item
