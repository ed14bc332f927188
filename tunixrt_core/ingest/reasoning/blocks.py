"""Blocks of markdown that are never divided: code, math, tables, lists."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

CODE_INDENT = 4  # columns from which on a line is code, or continues what precedes it

# one of these has to be in a text that holds a block of several lines; looking for them takes microseconds
_SIGNS = (
    "```",
    "~~~",
    "$$",
    "\\[",
    "\\begin{",
    "\n  ",
    "\n\t",
    "\n|",
    "\n>",
    "|-",
    "-|",
    "| -",
    ":-",
    "<table",
    "<pre",
)
_LIST = re.compile(r"\n {0,3}(?:[-*+]|\d{1,9}[.)])[ \t]")  # begins with what `re` finds fast
_FENCE = re.compile(r"(?P<mark>`{3,})[^`]*$|(?P<tildes>~{3,})")
_FENCE_LINE = re.compile(r"^[ \t]*(?:`{3}|~{3})", re.MULTILINE)
_MARKERS = re.compile(r"(?:(?:[-*+]|\d{1,9}[.)])[ \t]+|>[ \t]?)*")
_ITEM = re.compile(r"(?P<mark>[-*+]|(?P<number>\d{1,9})[.)])(?P<space>[ \t]+|$)")
_RULE = re.compile(r"([-*_])[ \t]*(?:\1[ \t]*){2,}$")
_BEGINS = re.compile(r"#{1,6}(?:[ \t]|$)|>|[*_#]{0,4}[ \t]?[Ss]tep[ \t]+\d{1,3}[.):]")
_DELIMITER = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$")
# code within a line is passed over; `\\[2pt]` is a line break of LaTeX and opens nothing
_OPENER = re.compile(
    r"(?P<code>`+[^`\n]*`+)|(?P<dollars>(?<!\\)\$\$)|(?P<bracket>(?<!\\)\\\[)"
    r"|\\begin\{(?P<environment>[^{}\n]+)\}|<(?P<tag>table|pre)\b"
)
_ENDS = {
    "dollars": re.compile(r"(?<![\\`])\$\$(?!`)"),
    "bracket": re.compile(r"(?<!\\)\\\]"),
    "table": re.compile("</table>"),
    "pre": re.compile("</pre>"),
    "fence": _FENCE_LINE,
}
_ENVIRONMENT = re.compile(r"\\(?P<mark>begin|end)\{(?P<name>[^{}\n]+)\}")


class _Line(NamedTuple):
    start: int
    end: int  # without the line end
    indent: int  # columns; a tab reaches to the next multiple of four
    text: str  # without white space at its ends


def blocks_in(text: str, *, lists: bool = False) -> list[tuple[int, int]]:
    """Where the blocks of more than one line begin and end, in order, none within another.

    `lists`: look for nothing but lists whose items go on without being indented, where none of the other signs is
    there; only where lines are divided do they matter.
    """
    if lists:
        return list(_Scanner(text).blocks()) if _LIST.search(text) or _LIST.match("\n" + text[:16]) else []
    for sign in _SIGNS:
        if sign in text:
            return list(_Scanner(text).blocks())
    return list(_Scanner(text).blocks()) if text.startswith((" ", "\t", "|", ">")) else []


def indent_of(white: str) -> int:
    """The columns of the white space at the beginning of a line."""
    return len(white.expandtabs(CODE_INDENT))


class _Scanner:
    """Goes over the lines once, as CommonMark finds its blocks; math and LaTeX, which it does not know, come on top."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = list(_lines(text))
        self._starts = [line.start for line in self._lines]
        self._next: dict[str, tuple[int, re.Match[str] | None]] = {}  # kind of end -> where it was looked for, and it
        self._environments: dict[int, int] | None = None  # where one begins -> where it ends

    def blocks(self) -> Iterator[tuple[int, int]]:
        i, in_paragraph = 0, False
        while i < len(self._lines):
            if not self._lines[i].text:
                i, in_paragraph = i + 1, False
                continue
            last, in_paragraph = self._block_at(i, in_paragraph)
            if last > i:
                yield self._lines[i].start, self._lines[last].end
            i = last + 1

    def _block_at(self, i: int, in_paragraph: bool) -> tuple[int, bool]:
        """The last line of the block that begins in line i, and whether a paragraph may go on behind it."""
        line = self._lines[i]
        if line.indent >= CODE_INDENT and not in_paragraph:
            return self._indented(i, is_code=True), False
        if inset := _inset(line, in_paragraph=in_paragraph):
            return self._list_item(i, inset), False
        if line.text.startswith(">"):
            return self._run(i, lambda one: one.text.startswith(">") or _goes_on(one)), False
        if self._is_table(i):
            return self._run(i + 1, _goes_on), False
        if line.text.startswith("|"):
            return self._run(i, lambda one: one.text.startswith("|")), False
        whole = self._whole(i)
        last = self._indented(whole, is_code=False)
        return last, last == whole and _is_paragraph(line)

    def _indented(self, i: int, *, is_code: bool) -> int:
        """The last of the lines after line i that are indented like code. Code may contain blank lines.

        Blocks that open in such a line are looked for only where the lines are a paragraph, not code.
        """
        last, may_be_blank = i, is_code
        for n in range(i + 1, len(self._lines)):
            line = self._lines[n]
            if n <= last or (not line.text and may_be_blank):
                continue
            if not line.text or line.indent < CODE_INDENT:
                break
            last, may_be_blank = n if is_code else self._whole(n), True
        return last

    def _list_item(self, i: int, inset: int) -> int:
        """The last line of the item that begins in line i, whose text is `inset` columns from the left."""
        last, blank, paragraph = self._whole(i), False, _is_paragraph(self._lines[i])
        for n in range(i + 1, len(self._lines)):
            line = self._lines[n]
            if n <= last:
                continue
            if not line.text:
                blank = True
                continue
            if line.indent < inset and (blank or not paragraph or _begins_block(line)):
                break
            last, blank, paragraph = self._whole(n), False, _is_paragraph(line)
        return last

    def _run(self, last: int, belongs: Callable[[_Line], bool]) -> int:
        while last + 1 < len(self._lines) and belongs(self._lines[last + 1]):
            last = self._whole(last + 1)
        return last

    def _is_table(self, i: int) -> bool:
        if i + 1 >= len(self._lines) or "|" not in self._lines[i].text:
            return False
        below = self._lines[i + 1].text
        return "|" in below and _DELIMITER.match(below) is not None

    def _whole(self, i: int) -> int:
        """The line in which everything ends that opens in line i: a fence, math, an environment."""
        line = self._lines[i]
        if fence := _FENCE.match(line.text, _MARKERS.match(line.text).end()):  # type: ignore[union-attr]
            mark = fence["mark"] or fence["tildes"]
            closes = re.compile(rf"[> \t]*{re.escape(mark[0])}{{{len(mark)},}}$")
            found = (n for n in range(i + 1, len(self._lines)) if closes.match(self._lines[n].text))
            return next(found, len(self._lines) - 1)
        last, at = i, line.start
        while opened := _OPENER.search(self._text, at, self._lines[last].end):
            at = self._end_of(opened)
            if at > self._lines[last].end:
                last = bisect_right(self._starts, at - 1) - 1
        return last

    def _end_of(self, opened: re.Match[str]) -> int:
        """Where that which was opened is closed; behind its opening where it never is."""
        kind = opened.lastgroup
        if kind in ("dollars", "bracket"):
            found, fence = self._first(kind, opened.end()), self._first("fence", opened.end())
            # math holds no fences: then it is a price, or is never closed
            whole = found and not (fence and fence.end() <= found.start())
            return found.end() if found and whole else opened.end()
        if kind == "tag":
            found = self._first(opened["tag"], opened.end())
            return found.start() if found else opened.end()
        if kind == "environment":
            return self._ends_of_environments().get(opened.start(), opened.end())
        return opened.end()

    def _first(self, kind: str, at: int) -> re.Match[str] | None:
        """The first end of this kind from `at` on. It is kept, so that many that open are looked through once."""
        asked, found = self._next.get(kind, (len(self._text) + 1, None))
        if at < asked or (found and found.start() < at):
            found = _ENDS[kind].search(self._text, at)
            self._next[kind] = at, found
        return found

    def _ends_of_environments(self) -> dict[int, int]:
        if self._environments is None:
            self._environments = {}
            opened: dict[str, list[int]] = {}
            for mark in _ENVIRONMENT.finditer(self._text):
                begun = opened.setdefault(mark["name"], [])
                if mark["mark"] == "begin":
                    begun.append(mark.start())
                elif begun:
                    self._environments[begun.pop()] = mark.end()
        return self._environments


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for line in text.split("\n"):
        inner = line.strip()
        white = line[: len(line) - len(line.lstrip(" \t"))] if inner and line[0] in " \t" else ""
        yield _Line(start, start + len(line), indent_of(white) if white else 0, inner)
        start += len(line) + 1


def _inset(line: _Line, *, in_paragraph: bool) -> int:
    """The columns before the text of a list item; 0 where the line begins none."""
    found = None if line.indent >= CODE_INDENT or _RULE.match(line.text) else _ITEM.match(line.text)
    if found is None:
        return 0
    # a number that begins a line of a paragraph is no list, but for a 1; nor is a mark with nothing behind it
    if in_paragraph and ((found["number"] or "1") != "1" or not found["space"]):
        return 0
    space = len(found["space"])
    return line.indent + len(found["mark"]) + (space if 0 < space <= CODE_INDENT else 1)


def _begins_block(line: _Line) -> bool:
    """Whether a line begins a block of its own and does not continue the paragraph before it."""
    if line.indent >= CODE_INDENT:
        return False
    text = line.text
    return any(pattern.match(text) for pattern in (_BEGINS, _RULE, _ITEM, _FENCE))


def _goes_on(line: _Line) -> bool:
    """Whether a line continues the table or the quote before it."""
    return bool(line.text) and line.indent < CODE_INDENT and not _begins_block(line)


def _is_paragraph(line: _Line) -> bool:
    """Whether the next line may continue the paragraph of this one."""
    text = line.text[_MARKERS.match(line.text).end() :]  # type: ignore[union-attr]
    return bool(text) and not any(pattern.match(text) for pattern in (_FENCE, _RULE)) and not text.startswith("#")
