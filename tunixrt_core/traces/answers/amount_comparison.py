"""Comparison of two numbers with units, exact and in base units."""

from __future__ import annotations

from fractions import Fraction

from tunixrt_core.traces.answers.reading.readings import Amount, Unit, Verdict
from tunixrt_core.traces.answers.reading.units import PERCENT


def same_amount(a: Amount, b: Amount) -> Verdict:
    """Compared exactly, in base units where both are known. Order does not matter."""
    if a.ordinal != b.ordinal:
        return Verdict.UNKNOWN if a.value == b.value else Verdict.DIFFERENT
    verdict = _with_units(a, b)
    if verdict is Verdict.SAME:
        return Verdict.UNKNOWN if a.doubtful != b.doubtful else verdict
    if verdict is Verdict.DIFFERENT and (_other_meaning(a, b) or _rounded(a, b) or _rounded(b, a)):
        return Verdict.UNKNOWN
    return verdict


def _with_units(a: Amount, b: Amount) -> Verdict:
    if a.unit is None and b.unit is None:
        return Verdict.of(a.value == b.value)
    if a.unit is None or b.unit is None:
        return _one_unit(*((a, b) if a.unit is None else (b, a)))
    if a.unit.noun or b.unit.noun:
        return _nouns(a, b, a.unit, b.unit)
    first, second = _in_money_of(a.unit, b.unit), _in_money_of(b.unit, a.unit)
    if first.dimensions != second.dimensions:
        return _other_dimensions(a, b, first, second)
    return _converted(a.value, first, b.value, second)


def _converted(a: Fraction, first: Unit, b: Fraction, second: Unit) -> Verdict:
    if first.factor == second.factor and first.offset == second.offset:
        return Verdict.of(a == b)
    if first.factor == 0 or second.factor == 0:  # radians: no fraction of a degree
        return Verdict.UNKNOWN
    one, other = first.base(a), second.base(b)
    if one == other:
        return Verdict.SAME
    # a conversion is rounded as a rule: 5 miles are 8.05 km
    return Verdict.UNKNOWN if abs(one - other) * 100 <= max(abs(one), abs(other)) else Verdict.DIFFERENT


def _one_unit(bare: Amount, with_unit: Amount) -> Verdict:
    """A number without a unit beside one that has it: it may be left out, or another one of its kind may be meant."""
    unit = with_unit.unit
    assert unit is not None
    if unit == PERCENT:
        if with_unit.value / 100 == bare.value:
            return Verdict.SAME
        if bare.value != with_unit.value:
            return Verdict.DIFFERENT
        return Verdict.SAME if abs(bare.value) > 1 else Verdict.UNKNOWN
    if bare.value == with_unit.value:
        return Verdict.SAME
    if unit.noun or not unit.dimensions or not with_unit.value or not bare.value:
        return Verdict.DIFFERENT
    ratios = _HUNDREDTHS if unit.dimensions[0][0].startswith("money ") else _RATIOS
    return Verdict.UNKNOWN if abs(bare.value / with_unit.value) in ratios else Verdict.DIFFERENT


def _nouns(a: Amount, b: Amount, first: Unit, second: Unit) -> Verdict:
    alike = first.noun == second.noun and bool(first.noun)
    return Verdict.of(a.value == b.value) if alike else Verdict.UNKNOWN


def _other_dimensions(a: Amount, b: Amount, first: Unit, second: Unit) -> Verdict:
    if a.value == b.value and (_minutes(first, second) or _minutes(second, first)):
        return Verdict.UNKNOWN
    one, other = dict(first.dimensions), dict(second.dimensions)
    # `$5` and `$5 per hour`, but for metres and square metres
    part = one.items() <= other.items() or other.items() <= one.items()
    return Verdict.UNKNOWN if part and a.value == b.value else Verdict.DIFFERENT


def _minutes(unit: Unit, other: Unit) -> bool:
    """Whether `m` may mean minutes."""
    return unit.name == "m" and {kind for kind, _ in other.dimensions} == {"time"}


def _in_money_of(unit: Unit, other: Unit) -> Unit:
    """Pounds are money beside money, and cents those of the other currency."""
    name, money = unit.name.casefold(), len(other.dimensions) == 1 and other.dimensions[0][0].startswith("money ")
    if money and name in ("pound", "pounds") and other.dimensions == (("money GBP", 1),):
        return Unit(name, other.dimensions)
    if money and name in ("cent", "cents", "¢"):
        return Unit(name, other.dimensions, Fraction(1, 100))
    return unit


_HUNDREDTHS = frozenset((Fraction(100), Fraction(1, 100)))
_RATIOS = frozenset(
    Fraction(ratio)
    for number in (
        "10",
        "100",
        "1000",
        "10000",
        "1000000",
        "12",
        "3",
        "36",
        "5280",
        "60",
        "3600",
        "24",
        "7",
        "365",
        "52",
        "16",
        "4",
        "8",
    )
    for ratio in (number, Fraction(1, int(number)))
)


def _other_meaning(a: Amount, b: Amount) -> bool:
    """Whether they are equal where separators are read in the other way, or a magnitude is left out."""
    for one, two in ((a, b), (b, a)):
        if one.other is not None and one.other in (two.value, two.other):
            return True
        if one.mantissa is not None and two.mantissa is None and one.mantissa == two.value:
            return True
    return False


def _rounded(a: Amount, b: Amount) -> bool:
    """Whether `a` is a decimal that stands for the fraction `b`, which no decimal writes: 0.333 for 1/3."""
    if a.decimals is None or a.decimals < 2 or b.decimals is not None:
        return False
    for value in (b.value, b.value * 100 if a.unit == PERCENT else b.value):
        under = value.denominator
        while under % 2 == 0:
            under //= 2
        while under % 5 == 0:
            under //= 5
        if under > 1 and abs(a.value - value) * 10**a.decimals < 1:
            return True
    return False
