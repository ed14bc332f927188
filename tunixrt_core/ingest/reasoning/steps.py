"""Steps of a stretch of reasoning, as spans of the unaltered text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.reasoning.blocks import CODE_INDENT, blocks_in, indent_of

RuleName = Literal["auto", "numbered", "paragraphs", "lines", "none"]
RULES: tuple[RuleName, ...] = get_args(RuleName)
Sure = Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a text is taken apart: what divides its reasoning into steps, and a pair of marks beside the known ones."""

    name: RuleName = "auto"
    tags: tuple[str, str] | None = None


AUTO = Rule()


class Span(NamedTuple):
    """Characters `start` to `end` of a text."""

    start: int
    end: int


class Division(NamedTuple):
    """The steps of a stretch, by which rule, how sure and why."""

    spans: tuple[Span, ...]
    rule: str
    sure: Sure
    why: str


_BLANK_LINES = re.compile(r"\n[ \t\r]*\n")
_END = re.compile(r"\n")
# `1. `, `1) `, `Step 1: `, `**Step 1:** `, `### Step 1. `
_ITEM = re.compile(
    r"^(?P<before>[ \t]*(?:[*_#]{1,4}[ \t]?)?)"
    r"(?P<word>[Ss]tep[ \t]+)?(?P<number>\d{1,3})(?(word)[.):]|[.)])(?:[*_]{1,2})?(?:[ \t]+|(?=\r?\n))",
    re.MULTILINE,
)


# what has no letter and no digit, but marks of markdown, HTML or LaTeX
_WORD = re.compile(r"[^\W_]")
_MARKUP = re.compile(r"(?:[\s#*_\-=~`|>+:$\\\[\]{}()]|</?[A-Za-z][^<>\n]*>|&\w+;)+")
_OPENS = re.compile(r"(?:#{1,6}|[-*+]|\d{1,3}[.)]|<[A-Za-z][^<>\n]*>)")


def rule_named(name: str, tags: Sequence[str] | None = None) -> Rule:
    """The rule of that name, with the user's own pair of marks. Raises UnreadableFile for what is no rule or pair."""
    for known in RULES:
        if known == name:
            return Rule(known, _pair(tags))
    raise UnreadableFile(f"There is no rule {name!r} to split steps by. Use one of: {', '.join(RULES)}.")


def _pair(tags: Sequence[str] | None) -> tuple[str, str] | None:
    if not tags:
        return None
    if len(tags) != 2 or tags[0] == tags[1] or not all(tag.strip() for tag in tags):
        raise UnreadableFile(f"Think tags: {' '.join(tags)!r} is no pair of marks. Name two, such as <plan> </plan>.")
    return tags[0], tags[1]


def divide(text: str, stretch: Span, rule: RuleName = "auto") -> Division:
    """The steps of `text[stretch]`. White space around a step is no part of it; blank ones vanish.

    No step ends within a block of markdown, such as code or a list item, and none is markup alone.
    """
    if rule == "none":
        return Division(_filled(text, [stretch]), "none", "high", "kept in one piece")
    part = text[slice(*stretch)]  # so that its beginning counts as the beginning of a line
    blocks = blocks_in(part)
    if rule in ("auto", "numbered") and (found := _numbered(text, part, stretch.start, blocks, strict=rule == "auto")):
        return found
    if rule == "paragraphs" or (rule == "auto" and _BLANK_LINES.search(part)):
        spans = _pieces(text, part, stretch, _BLANK_LINES, blocks)
        if len(spans) > 1 or rule == "paragraphs":
            return Division(spans, "paragraphs", "high", "blank lines separate the steps")
    spans = _pieces(text, part, stretch, _END, blocks or blocks_in(part, lists=True))
    if len(spans) <= 1:
        return Division(spans, "lines", "high", "there is one line")
    sure: Sure = "low" if rule == "numbered" else "medium"
    return Division(spans, "lines", sure, "there are no blank lines or numbers, so each line is a step")


def stripped(text: str, start: int, end: int) -> Span:
    """The span without the white space at its ends."""
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    return Span(start + left, start + left + len(part.strip()))


def trimmed(text: str, start: int, end: int) -> Span:
    """The same, but a first line that is indented as code keeps its indentation."""
    if start < end and not text[start].isspace() and not text[end - 1].isspace():
        return Span(start, end)
    found = stripped(text, start, end)
    line = text.rfind("\n", start, found.start) + 1 or (start if start == 0 or text[start - 1] == "\n" else found.start)
    white = text[line : found.start]
    if len(white) == 0 or white.strip(" \t") or indent_of(white) < CODE_INDENT or found.start == found.end:
        return found
    return Span(line, found.end)


def _pieces(
    text: str, part: str, stretch: Span, separator: re.Pattern[str], blocks: Sequence[tuple[int, int]]
) -> tuple[Span, ...]:
    """The pieces between the separators. Separators within a block do not count."""
    bounds = _lines(part) if separator is _END and not blocks else _bounds(part, separator, blocks)
    offset, found = stretch.start, []
    for start, end in bounds:
        if start < end and (span := trimmed(text, offset + start, offset + end)).start < span.end:
            found.append(span)
    return _with_words(text, found)


def _lines(part: str) -> Iterator[tuple[int, int]]:
    start = 0
    for line in part.split("\n"):
        end = start + len(line)
        yield start, end
        start = end + 1


def _bounds(part: str, separator: re.Pattern[str], blocks: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    at, n = 0, 0
    for found in separator.finditer(part):
        while n < len(blocks) and blocks[n][1] < found.end():
            n += 1
        if n == len(blocks) or blocks[n][0] > found.start():
            yield at, found.start()
            at = found.end()
    yield at, len(part)


def _filled(text: str, spans: Iterable[Span]) -> tuple[Span, ...]:
    found = (trimmed(text, *span) for span in spans)
    return tuple(span for span in found if span.start < span.end)


def _with_words(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """The spans, those of markup alone joined with the one before, or, where they open something, the one after."""
    if len(spans) < 2 or not [1 for span in spans if not text[span.start].isalpha() and _is_markup(text, span)]:
        return tuple(spans)
    found: list[Span] = []
    opened: int | None = None  # where markup begins that waits for what it opens
    for span in spans:
        start = span.start if opened is None else opened
        opened = None
        if not _is_markup(text, span):
            found.append(Span(start, span.end))
        elif not found or _OPENS.fullmatch(text, *span):
            opened = start
        else:
            found[-1] = Span(found[-1].start, span.end)
    if opened is not None:
        end = spans[-1].end
        found[-1:] = [Span(found[-1].start if found else opened, end)]
    return tuple(found)


def _is_markup(text: str, span: Span) -> bool:
    found = _WORD.search(text, *span)
    if found is None or text[span.start] in "<&":
        return _MARKUP.fullmatch(text, *span) is not None
    return found.start() == span.start and _OPENS.fullmatch(text, *span) is not None


def _numbered(text: str, part: str, at: int, blocks: Sequence[tuple[int, int]], *, strict: bool) -> Division | None:
    """Items that count 1, 2, 3. Strict: every line that begins like an item must be one; a line may come before."""
    every = list(_ITEM.finditer(part))
    if len(every) < 2:
        return None
    if blocks:
        every = list(_outside(every, blocks))
    items = list(_counting(every))
    if len(items) < 2 or (strict and len(items) < len(every)):
        return None
    before = _filled(text, [Span(at, at + items[0].start())])
    if strict and before and "\n" in text[slice(*before[0])]:
        return None
    ends = [item.start() for item in items[1:]] + [len(part)]
    spans = [stripped(text, at + item.end(), at + end) for item, end in zip(items, ends, strict=True)]
    if any(span.start >= span.end or _is_markup(text, span) for span in (*before, *spans)):
        return None
    sure: Sure = "medium" if before or len(items) < len(every) or _BLANK_LINES.search(text, *spans[-1]) else "high"
    return Division((*before, *spans), "numbered", sure, f"{len(items)} items count from 1")


def _outside(items: Iterable[re.Match[str]], blocks: Sequence[tuple[int, int]]) -> Iterator[re.Match[str]]:
    """The items that do not begin within a block; both are in order."""
    n = 0
    for item in items:
        while n < len(blocks) and blocks[n][1] <= item.start():
            n += 1
        if n == len(blocks) or item.start() <= blocks[n][0]:
            yield item


def _counting(items: Sequence[re.Match[str]]) -> Iterator[re.Match[str]]:
    wanted = 1
    for item in items:
        if int(item["number"]) == wanted:
            wanted += 1
            yield item
