"""Answers as numbers: fractions, mixed numbers, percent, currency and units, compared exactly."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

_LATEX = (
    (re.compile(r"\\[dt]?frac\s*\{(-?\d+)\}\s*\{(\d+)\}"), r" \1/\2"),
    (re.compile(r"\\(?:text|mathrm|mbox)\s*\{([^{}]*)\}"), r" \1"),
    (re.compile(r"\\boxed\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\([$%])"), r"\1"),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?"), " degree"),
    (re.compile(r"\\[,;! ]|\{,\}"), lambda m: "," if m[0] == "{,}" else " "),
)
_AMOUNT = re.compile(
    r"(?P<sign>[-+\u2212]?)\s*(?P<currency>[$\u20ac\u00a3\u00a5]?)\s*(?P<sign2>[-+\u2212]?)"
    r"(?:(?:(?P<whole>\d{1,40})\s+)?(?P<over>\d{1,40})\s*/\s*(?P<under>\d{1,40})"
    r"|(?P<decimal>(?:\d{1,3}(?:,\d{3})+|\d{1,40})?(?:\.\d{1,40})?)(?:e(?P<power>[-+]?\d{1,2}))?)"
    r"\s*(?P<unit>%|[^\W\d_\u2212+\-*=][^\d=+*]{0,30})?"
)
_LONGEST = 200
_MINUS = ("-", "\u2212")
_NOT_UNITS = frozenset({"and", "or", "to", "not", "times", "plus", "minus", "over", "is", "are", "out", "remainder"})
_SAME_UNIT = {
    **dict.fromkeys(("dollar", "usd", "us dollar"), "$"),
    **dict.fromkeys(("euro", "eur"), "\u20ac"),
    **dict.fromkeys(("pound sterling", "gbp"), "\u00a3"),
    **dict.fromkeys(("percent", "per cent", "percentage"), "%"),
}


class Number(NamedTuple):
    """An exact value with its unit in lower case and singular; the unit is empty where none was written."""

    value: Fraction
    unit: str


def read_number(text: str) -> Number | None:
    """The number that a whole text is, or None: `1 1/2 cups`, `$1,000.50`, `75%`, `\\frac{3}{4}`, `-2e3`.

    At most 40 digits and an exponent of two, so that no text makes a number that fills the memory.
    """
    found = _AMOUNT.fullmatch(_bare(text)) if len(text) <= _LONGEST else None
    value = _value(found) if found is not None else None
    if found is None or value is None:
        return None
    negative = (found["sign"] in _MINUS) != (found["sign2"] in _MINUS)
    unit = found["currency"] or _unit(found["unit"] or "")
    words = unit.split()
    # "5 and a half" and "5 to 7" are no amounts of anything
    if len(words) > 3 or not _NOT_UNITS.isdisjoint(words):
        return None
    return Number(-value if negative else value, unit)


def same_number(given: str, reference: str) -> bool | None:
    """Whether two answers are the same number; None where one of them is no number.

    Units must agree where both have one. `75%` is the same as `75` and as `0.75`: references are written either way.
    """
    a, b = read_number(given), read_number(reference)
    if a is None or b is None:
        return None
    if a.unit and b.unit and a.unit != b.unit:
        return False
    if a.value == b.value:
        return True
    # one says percent and the other nothing: it may mean the share
    if a.unit == "%" and not b.unit:
        return a.value / 100 == b.value
    return b.unit == "%" and not a.unit and b.value / 100 == a.value


def _bare(text: str) -> str:
    bare = text.strip().strip("$") if text.strip().startswith("$") and text.strip().endswith("$") else text.strip()
    if "\\" in bare or "{" in bare:
        for pattern, with_ in _LATEX:
            bare = pattern.sub(with_, bare)
    return " ".join(bare.casefold().split()).removesuffix(".").strip()


def _value(found: re.Match[str]) -> Fraction | None:
    if found["under"]:
        if int(found["under"]) == 0:
            return None
        return int(found["whole"] or 0) + Fraction(int(found["over"]), int(found["under"]))
    digits = (found["decimal"] or "").replace(",", "")
    if not digits:
        return None
    return Fraction(digits) * Fraction(10) ** int(found["power"] or 0)


def _unit(text: str) -> str:
    unit = " ".join(text.rstrip(" .").split())
    singular = unit[:-1] if len(unit) > 3 and unit.endswith("s") and not unit.endswith("ss") else unit
    return _SAME_UNIT.get(singular, singular)
