"""Numbers in answers: exact values, units, and texts that are no number."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.traces.answers.reading.amounts import read_number


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("72", 72, ""),
        ("-2e3", -2000, ""),
        ("1,234,567.50", Fraction("1234567.5"), ""),
        ("1 1/2 cups", Fraction(3, 2), "cups"),
        (r"\frac{3}{4}", Fraction(3, 4), ""),
        (r"$\dfrac{3}{4}$", Fraction(3, 4), ""),
        (r"\boxed{72}", 72, ""),
        (r"75\%", 75, "%"),
        ("$1,000.50", Fraction("1000.5"), "$"),
        ("12 dollars.", 12, "dollars"),
        ("twenty-one", 21, ""),
        ("$1.5 million", 1_500_000, "$"),
        ("1 hour 30 minutes", 90, "minutes"),
        ("5 and a half", Fraction(11, 2), ""),
        ("−3", -3, ""),
        ("90^\\circ", 90, "°"),
        ("12 square feet", 12, "square feet"),
    ],
)
def test_a_number_is_read_with_its_unit(text: str, value: Fraction | int, unit: str) -> None:
    found = read_number(text)
    assert found is not None
    assert (found.value, found.unit.name if found.unit else "") == (Fraction(value), unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "km",
        "5 or 6",
        "7 maybe",
        "7 is wrong",
        "1/2/2024",
        "1,00",
        "3-4",
        "1/0",
        "x = 5",
        "9" * 300,
        "1e999",
        "e5",
    ],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert read_number(text) is None


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    read_number(text)


@given(st.fractions(max_denominator=10**6).filter(lambda f: abs(f) < 10**12))
def test_every_fraction_is_read_as_itself(value: Fraction) -> None:
    found = read_number(f"{value.numerator}/{value.denominator}")
    assert found is not None
    assert (found.value, found.unit) == (value, None)
