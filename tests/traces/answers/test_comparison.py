"""One comparison of answers: never right for a wrong answer, never wrong for a right one, and often sure."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import REPOSITORY
from tunixrt_core.traces.answers.comparison import compare
from tunixrt_core.traces.answers.formulas import needs_mathematics
from tunixrt_core.traces.answers.reading.readings import Verdict


class Pair(NamedTuple):
    """Two answers of the planted table, and what a reader says of them: a verdict, or `not same` for either other."""

    notation: str
    verdict: str
    expected: str
    given: str


def planted() -> list[Pair]:
    lines = (REPOSITORY / "tests/data/answer_pairs.tsv").read_text().splitlines()[1:]
    return [Pair(*line.split("\t")) for line in lines]


PAIRS = planted()


def wrongly(pairs: list[Pair], verdict: Verdict) -> list[Pair]:
    allowed = {verdict} if verdict is Verdict.SAME else {verdict, "not same"}
    return [pair for pair in pairs if compare(pair.expected, pair.given) is verdict and pair.verdict not in allowed]


def test_the_table_has_many_pairs_in_many_notations() -> None:
    counted = Counter(pair.notation for pair in PAIRS)
    assert len(PAIRS) >= 300
    assert len(counted) >= 25
    assert min(counted.values()) >= 10


def test_no_answer_is_right_that_is_not() -> None:
    assert wrongly(PAIRS, Verdict.SAME) == []


def test_at_most_one_in_a_hundred_is_wrong_that_is_not() -> None:
    assert len(wrongly(PAIRS, Verdict.DIFFERENT)) <= len(PAIRS) // 100


def test_nearly_all_that_a_reader_can_tell_is_told() -> None:
    assert len(wrongly(PAIRS, Verdict.UNKNOWN)) <= len(PAIRS) // 50


def test_it_does_not_matter_which_of_two_single_answers_is_expected() -> None:
    """Where several answers are expected and one is given, or the other way round, it does."""
    turned = [pair for pair in PAIRS if compare(pair.given, pair.expected) is not compare(pair.expected, pair.given)]
    assert all("or" in pair.expected + pair.given or "," in pair.expected + pair.given for pair in turned)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_breaks_it(left: str, right: str) -> None:
    compare(left, right)
    needs_mathematics(left, right)
    assert compare(left, left) is (Verdict.SAME if left.split() else Verdict.UNKNOWN)


@given(st.integers(-(10**9), 10**9))
def test_a_number_with_separators_is_the_number_and_not_the_next_one(value: int) -> None:
    assert compare(f"{value:,}", str(value)) is Verdict.SAME
    assert compare(str(value), str(value + 1)) is Verdict.DIFFERENT


@pytest.mark.parametrize(
    ("expected", "given", "asked"),
    [
        (r"2\sqrt{2}", r"\sqrt{8}", True),
        ("x^2+1", "$1+x^2$", True),
        ("7", "2+5", True),
        (r"\sqrt{2}", "it depends", False),
        ("7", "nearly 7", False),
        ("7", "2 + 5 is wrong", False),
        ("Paris", "London Bridge is down", False),
        ("12 dogs", "12 animals", False),
    ],
)
def test_only_formulas_are_left_to_mathematics(expected: str, given: str, asked: bool) -> None:
    assert compare(expected, given) is Verdict.UNKNOWN
    assert needs_mathematics(expected, given) is asked


@pytest.mark.parametrize(
    "sign", ["1", "1,", "a ", "(", "-", "**", "$x", r"\frac{", "1/", "and ", "x = ", "no, ", "7 m ", "."]
)
def test_a_long_answer_costs_little(sign: str) -> None:
    long = sign * (1_000 // len(sign))
    assert compare(long + "7", long + "8") in Verdict
    assert compare("7", long + "8") is not Verdict.SAME
