"""Answers as numbers: exact values, units, and texts that are no number."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.traces.answers.numbers import Number, read_number, same_number


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("72", 72, ""),
        ("-2e3", -2000, ""),
        ("1,234,567.50", Fraction("1234567.5"), ""),
        ("1 1/2 cups", Fraction(3, 2), "cup"),
        (r"\frac{3}{4}", Fraction(3, 4), ""),
        (r"$\dfrac{3}{4}$", Fraction(3, 4), ""),
        (r"\boxed{72}", 72, ""),
        (r"75\%", 75, "%"),
        ("$1,000.50", Fraction("1000.5"), "$"),
        ("12 dollars.", 12, "$"),
        ("−3", -3, ""),
        ("90^\\circ", 90, "degree"),
        ("12 square feet", 12, "square feet"),
    ],
)
def test_a_number_is_read_with_its_unit(text: str, value: Fraction | int, unit: str) -> None:
    assert read_number(text) == Number(Fraction(value), unit)


@pytest.mark.parametrize(
    "text",
    ["", "x", "km", "5 or 6", "5 and a half", "1/2/2024", "1,00", "3-4", "1/0", "x = 5", "9" * 300, "1e999", "e5"],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("75%", "75", True),
        ("0.75", "75%", True),
        ("75%", "0.075", False),
        ("12 m", "12 cm", False),
        ("12 dogs", "12", True),
        ("$12", "12 dollars", True),
        ("0.333", "1/3", False),
        ("about", "3", None),
    ],
)
def test_numbers_are_compared_exactly(a: str, b: str, same: bool | None) -> None:
    assert same_number(a, b) is same


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    read_number(text)


@given(st.fractions(max_denominator=10**6).filter(lambda f: abs(f) < 10**12))
def test_every_fraction_is_read_as_itself(value: Fraction) -> None:
    assert read_number(f"{value.numerator}/{value.denominator}") == Number(value, "")
