"""Sets, lists, tuples, intervals, ratios and matrices."""

from __future__ import annotations

import re
from fractions import Fraction

from tunixrt_core.traces.answers.reading.amounts import read_amount
from tunixrt_core.traces.answers.reading.cleaning import enclosed
from tunixrt_core.traces.answers.reading.readings import Bound, Items, Piece, Ratio, Span

_NAME = r"[A-Za-z](?:_\{?\w\}?)?"
_OPERATOR = r"(<=|>=|=<|=>|≤|≥|<|>)"
_CHAIN = re.compile(rf"(?P<low>[^<>≤≥=]+?)\s*{_OPERATOR}\s*{_NAME}\s*{_OPERATOR}\s*(?P<high>[^<>≤≥=]+)")
_BELOW = re.compile(rf"{_NAME}\s*{_OPERATOR}\s*([^<>≤≥=]+)")
_ABOVE = re.compile(rf"([^<>≤≥=]+?)\s*{_OPERATOR}\s*{_NAME}")
_MEMBER = re.compile(rf"{_NAME}\s*(?:∈|\bis in\b|\bin\b)\s*")
_OR = re.compile(r"\s*(?:∪|\bor\b|\bU\b)\s*")
_BRACKETED = re.compile(r"([(\[\]])\s*([^,;()\[\]]+?)\s*[,;]\s*([^,;()\[\]]+?)\s*([)\]\[])")
_BETWEEN = re.compile(
    r"(?:(?:(?:is|lies|somewhere|anywhere)\s+)*between\s+(.+?)\s+and\s+(.+)|(?:from\s+)?(\S+)\s+to\s+(\S+))",
    re.IGNORECASE,
)
_DASH = re.compile(r"([$\d.,]+%?)\s*[-–]\s*([$\d.,]+%?)")
_ONE_SIDED = re.compile(
    r"(?P<words>at least|no less than|not less than|at most|no more than|not more than|more than|greater than|over"
    r"|above|less than|fewer than|under|below|up to)\s+(?P<number>.+)",
    re.IGNORECASE,
)
_OR_MORE = re.compile(r"(.+?)\s+or\s+(more|less|fewer|greater|higher|lower|above|below)", re.IGNORECASE)
_RATIO = re.compile(r"\d+(?:\.\d+)?(?:\s*:\s*\d+(?:\.\d+)?){1,5}")
_FALLING = re.compile(r"(\d{1,9}) to (\d{1,9})")  # no range
_LOWER = frozenset({"at most", "no more than", "not more than", "less than", "fewer than", "under", "below", "up to"})
_INCLUDED = frozenset(
    {"at least", "no less than", "not less than", "at most", "no more than", "not more than", "up to"}
)
_INFINITE = {"∞": 1, "+∞": 1, "infinity": 1, "inf": 1, "-∞": -1, "-infinity": -1, "-inf": -1}
# most texts have none of these, and are no interval
_SPAN_SIGNS = re.compile(
    r"[\d<>≤≥∞∪\[(]|\b(?:to|between|least|most|than|over|under|above|below|or|up)\b", re.IGNORECASE
)
_MATRIX = re.compile(
    r"[\[(]?\s*\\begin\s*\{([pbBv]?matrix|smallmatrix|array)\}(?:\{[lcr|]*\})?(.*?)\\end\s*\{\1\}\s*[\])]?", re.DOTALL
)
_MATLAB = re.compile(r"[\[(]\s*([^\[\];]+(?:;[^\[\];]+)+)\s*[\])]")
_AND = re.compile(r"\s*,?\s+(?:and|&)\s+", re.IGNORECASE)
_EITHER = re.compile(r"\s*,?\s+or\s+(?:maybe\s+|perhaps\s+)?|\s*/\s*or\s+", re.IGNORECASE)
_TITLES = re.compile(r"(?:jr|sr|inc|ltd|llc|ph\.?d|m\.?d|esq)\.?", re.IGNORECASE)
_MOST_ITEMS = 64


def read_span(text: str) -> Span | None:
    """`[1, 2)`, `1 < x <= 2`, `x > 1`, unions, `between 6 and 7`, `6-7`, `at least 7`; not `(1, 2)`, maybe a point."""
    if text in ("ℝ", "\\mathbb{R}") or text.casefold() in ("all real numbers", "all reals"):
        return Span(((None, False, None, False),))
    if not _SPAN_SIGNS.search(text):
        return None
    return _spoken(text) or _union(_MEMBER.sub("", text) if _MEMBER.match(text) else text, bool(_MEMBER.match(text)))


def as_span(items: Items) -> Span | None:
    """The interval that a pair in round or square brackets may be."""
    if items.order not in ("tuple", "vector") or len(items.items) != 2:
        return None
    low, high = (getattr(one, "value", None) for one in items.items)
    if not isinstance(low, Fraction) or not isinstance(high, Fraction) or low >= high:
        return None
    return Span(((low, items.order == "vector", high, items.order == "vector"),))


def read_ratio(text: str) -> Ratio | None:
    """`3:4`, `1:2:3`."""
    if (falling := _FALLING.fullmatch(text)) is not None and int(falling[1]) > int(falling[2]):
        return Ratio((Fraction(falling[1]), Fraction(falling[2])))
    return Ratio(tuple(Fraction(part) for part in re.split(r"\s*:\s*", text))) if _RATIO.fullmatch(text) else None


def matrix_rows(text: str) -> list[list[str]] | None:
    """The cells of a matrix in LaTeX or as `[1 2; 3 4]`; rows of equal length only."""
    if (found := _MATRIX.fullmatch(text)) is not None and found[1] != "vmatrix":
        rows = [row.split("&") for row in re.split(r"\\\\(?:\[[^\]]*\])?", found[2].strip().removesuffix("\\\\"))]
    elif (flat := _MATLAB.fullmatch(text)) is not None:
        rows = [re.split(r"\s*,\s*|\s+", row.strip()) for row in flat[1].split(";")]
    else:
        return None
    rows = [[cell.strip() for cell in row] for row in rows]
    return rows if len({len(row) for row in rows}) == 1 and all(all(row) for row in rows) else None


def decimal_comma(text: str) -> Fraction | None:
    """The number that two figures with a comma between them may be as well."""
    found = re.fullmatch(r"([-+]?\d{1,12}),(\d{1,12})", text)
    return Fraction(f"{found[1]}.{found[2]}") if found is not None else None


def parts_of(text: str) -> tuple[list[str], str] | None:
    """The texts of several answers and how they are joined (an `Order`); None where there is one answer only."""
    if enclosed(text):
        order = {"{": "set", "⦃": "set", "(": "tuple", "[": "vector"}[text[0]]
        inner = text[1:-1].strip()
        parts = _split(inner) if inner else []
        return (parts, order) if order != "tuple" or len(parts) > 1 else None
    text = re.sub(r"^(?:both|either)\s+", "", text, flags=re.IGNORECASE)
    if text.startswith(("±", "\\pm")):
        number = text.removeprefix("±").removeprefix("\\pm").strip()
        return [number, f"-{number}"], "set"
    either = _EITHER.split(text)
    if len(either) > 1:
        return _whole([part for one in either for part in _split(one)], "or")
    both = _AND.split(text)
    if len(both) > 1:
        return _whole([part for one in both for part in _split(one)], "set")
    parts = _split(text)
    return None if _TITLES.fullmatch(parts[-1]) else _whole(parts, "list")


def _whole(parts: list[str], order: str) -> tuple[list[str], str] | None:
    return (parts, order) if 1 < len(parts) <= _MOST_ITEMS and all(parts) else None


def _split(text: str) -> list[str]:
    """At commas and semicolons outside of brackets; thousands stay together."""
    parts, depth, start = [], 0, 0
    for at, sign in enumerate(text):
        depth += (sign in "([{⦃") - (sign in ")]}⦄")
        if depth == 0 and sign in ",;" and not _in_number(text, at):
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def _in_number(text: str, at: int) -> bool:
    after = text[at + 1 : at + 5]
    grouped = text[at] == "," and text[at - 1 : at].isdecimal() and after[:3].isdecimal() and len(after[:3]) == 3
    # `1,234` stays whole in a list with spaces after its commas; in `1,200,5` no comma is sure
    return grouped and not after[3:4].isdecimal() and (", " in text or ";" in text)


def _spoken(text: str) -> Span | None:
    if (found := _BETWEEN.fullmatch(text)) is not None:
        low, high = _number(found[1] or found[3]), _number(found[2] or found[4])
        return (
            Span(((low, True, high, True),), vague=True)
            if low is not None and high is not None and low < high
            else None
        )
    if (found := _DASH.fullmatch(text)) is not None:
        low, high = _number(found[1]), _number(found[2])
        if low is not None and high is not None and low < high:
            return Span(((low, True, high, True),), vague=True, dash=True)
    if (found := _ONE_SIDED.fullmatch(text)) is not None:
        words, number = found["words"].casefold(), _number(found["number"])
        return None if number is None else _one_sided(number, below=words in _LOWER, included=words in _INCLUDED)
    if (found := _OR_MORE.fullmatch(text)) is not None and (number := _number(found[1])) is not None:
        return _one_sided(number, below=found[2].casefold() in ("less", "fewer", "lower", "below"), included=True)
    return None


def _one_sided(number: Fraction, *, below: bool, included: bool) -> Span:
    return Span(((None, False, number, included) if below else (number, included, None, False),))


def _union(text: str, member: bool) -> Span | None:
    parts = [part for part in _OR.split(text) if part]
    pieces = [_piece(part, member or len(parts) > 1) for part in parts]
    if not pieces or any(piece is None for piece in pieces):
        return None
    found = [piece for piece in pieces if piece is not None]
    return Span(tuple(sorted(found, key=lambda piece: (piece[0] is not None, piece[0] or 0))))


def _piece(text: str, member: bool) -> Piece | None:
    if (found := _CHAIN.fullmatch(text)) is not None:
        return _chain(_number(found["low"]), found[2], found[3], _number(found["high"]))
    if (found := _BELOW.fullmatch(text)) is not None:
        return _half(_number(found[2]), found[1])
    if (found := _ABOVE.fullmatch(text)) is not None:
        return _half(_number(found[1]), found[2].translate(str.maketrans("<>≤≥", "><≥≤")))
    found = _BRACKETED.fullmatch(text)
    return _bracketed(found, member) if found is not None else None


def _chain(low: Bound, first: str, second: str, high: Bound) -> Piece | None:
    if low is None or high is None or (first[0] in "<≤") != (second[0] in "<≤"):
        return None
    ends = (low, _included(first), high, _included(second))
    return ends if first[0] in "<≤" else (ends[2], ends[3], ends[0], ends[1])


def _half(number: Bound, operator: str) -> Piece | None:
    if number is None or operator in ("=<", "=>"):
        return None
    if operator[0] in "<≤":
        return None, False, number, _included(operator)
    return number, _included(operator), None, False


def _included(operator: str) -> bool:
    return operator in ("≤", "≥", "<=", ">=")


def _bracketed(found: re.Match[str], member: bool) -> Piece | None:
    left, right = found[1], found[4]
    ends = [_INFINITE.get(found[i].replace(" ", "").casefold()) for i in (2, 3)]
    low, high = (None if end else _number(found[i]) for end, i in zip(ends, (2, 3), strict=True))
    if (low is None and ends[0] != -1) or (high is None and ends[1] != 1):
        return None
    both = {left, right}
    # a pair in equal brackets may be a point or a list as well
    if not member and None not in (low, high) and both in ({"(", ")"}, {"[", "]"}) and left != "]":
        return None
    if low is not None and high is not None and low > high:
        return None
    return low, left == "[", high, right == "]"


def _number(text: str) -> Fraction | None:
    amount = read_amount(text.strip())
    return (
        amount.value
        if amount is not None and (amount.unit is None or not amount.doubtful) and not amount.ordinal
        else None
    )
