"""Marks around an answer, and the last line or box that holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tunixrt_core.ingest.reasoning.marks.reasoning import Pair, in_any_case, may_hold, one_of
from tunixrt_core.ingest.reasoning.steps import Span, stripped, trimmed

# The table of marks around the answer, behind the reasoning.
ANSWER: tuple[Pair, ...] = (
    Pair("<answer>", "</answer>", anywhere=True),
    Pair("<final_answer>", "</final_answer>", anywhere=True),
    Pair("<solution>", "</solution>"),
    Pair("<output>", "</output>"),
    Pair("<response>", "</response>"),
    Pair("<|begin_of_solution|>", "<|end_of_solution|>"),
    Pair("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    Pair("<|begin_of_box|>", "<|end_of_box|>", anywhere=True),  # GLM
    Pair("[ANSWER]", "[/ANSWER]", anywhere=True),
    Pair("[SOLUTION]", "[/SOLUTION]"),
)
_ANSWERS = {pair.opener.lower(): pair for pair in ANSWER}
_ANSWER = re.compile(one_of(list(_ANSWERS)), re.IGNORECASE)
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)


def answer_marks(text: str, stretch: Span, *, common: bool = True) -> tuple[Span, Span] | None:
    """Position of the marks around an answer, and of the answer between them; None where there are none.

    The last pair counts, as an earlier one may only be a mention. A pair of `common` words must enclose all the text.
    """
    if not may_hold(text):
        return None
    whole, closers = stripped(text, *stretch), _Closers(text, stretch.end)
    for opened in reversed(list(_ANSWER.finditer(text, *stretch))):
        pair = _ANSWERS[opened[0].lower()]
        closed = closers.after(opened.end(), pair.closer)
        if closed < 0:
            continue
        outer = Span(opened.start(), closed + len(pair.closer))
        if not pair.anywhere and not (common and outer.start <= whole.start and outer.end >= whole.end):
            continue
        inner = trimmed(text, opened.end(), closed)
        if inner.start < inner.end:
            return outer, inner
    return None


class _Closers:
    """Closing marks behind places that come from the last to the first, so that no text is read twice."""

    def __init__(self, text: str, end: int) -> None:
        self._text, self._end = text, end
        self._known: dict[tuple[str, bool], tuple[int, int]] = {}  # the last place, and what was found

    def after(self, at: int, mark: str) -> int:
        """As `_find` of the mark from `at` to the end."""
        exact = self._first(at, mark, True)
        return exact if exact >= 0 else self._first(at, mark, False)

    def _first(self, at: int, mark: str, exact: bool) -> int:
        asked, known = self._known.get((mark, exact), (self._end, -1))
        until = min(asked + len(mark) - 1, self._end)  # a mark that begins behind `asked` is known
        if exact:
            found = self._text.find(mark, at, until)
        else:
            there = in_any_case(mark).search(self._text, at, until)
            found = there.start() if there else -1
        found = known if found < 0 else found
        self._known[mark, exact] = at, found
        return found


def hashes(text: str, stretch: Span) -> tuple[Span, Span] | None:
    """The text before a last line `#### answer`, and the answer; None without such a line."""
    inner = stripped(text, *stretch)
    line = max(text.rfind("\n", *inner) + 1, inner.start)
    if not text[line : inner.end].lstrip().startswith("####"):
        return None
    return Span(stretch.start, line), stripped(text, text.index("####", line) + 4, inner.end)


def boxed(text: str, stretch: Span) -> Span | None:
    """The inside of the last `\\boxed{...}` whose braces close; None where there is none, or it is blank."""
    end = stretch.end
    closes: Mapping[int, int] | None = None
    while (start := text.rfind("\\boxed{", stretch.start, end)) >= 0:
        begin = start + len("\\boxed{")
        close = _close_of(text, begin, stretch.end) if closes is None else closes.get(begin)
        if close is None and closes is None:  # the braces of the others are found at once
            closes = _closes_in(text, stretch)
        elif close is not None and text[begin:close].strip():
            return stripped(text, begin, close)
        end = start
    return None


def _close_of(text: str, begin: int, end: int) -> int | None:
    """Where the brace closes that opens right before `begin`."""
    depth = 1
    for found in _BRACES.finditer(text, begin, end):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return found.start()
    return None


def _closes_in(text: str, stretch: Span) -> Mapping[int, int]:
    """The place right behind each opening brace -> where it closes."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for brace in _BRACES.finditer(text, *stretch):
        if brace[0] == "{":
            opened.append(brace.end())
        elif brace[0] == "}" and opened:
            found[opened.pop()] = brace.start()
    return found


def is_bare(text: str, stretch: Span, box: Span) -> bool:
    """Whether nothing is said around the box."""
    before = text[stretch.start : box.start].rstrip().removesuffix("\\boxed{")
    return not any(c.isalnum() for c in before + text[box.end : stretch.end])
