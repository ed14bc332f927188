"""Two short answers are the same however they are written, and only then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.traces.answers.same import same_answer


@pytest.mark.parametrize(
    ("left", "right"),
    [("72", "72"), ("1,000", "1000"), ("$5", "5"), ("5.00", "5"), ("5.", "5"), ("Paris ", "paris"), ("50%", "50")],
)
def test_equal_answers_are_equal(left: str, right: str) -> None:
    assert same_answer(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [("72", "27"), ("1,00", "100"), ("5 apples", "5"), ("", "0"), ("٣", "3"), ("1e3", "1000"), ("12", "1 2")],
)
def test_different_answers_are_different(left: str, right: str) -> None:
    assert not same_answer(left, right)


@given(st.text(max_size=30), st.text(max_size=30))
def test_it_does_not_matter_which_of_the_two_is_the_reference(left: str, right: str) -> None:
    assert same_answer(left, right) == same_answer(right, left)
    assert same_answer(left, left)


@given(st.integers(-(10**9), 10**9))
def test_a_number_with_separators_is_the_number(value: int) -> None:
    assert same_answer(f"{value:,}", str(value))
    assert not same_answer(str(value), str(value + 1))
