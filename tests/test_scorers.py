"""Scores are the same for the same answer, however it is written."""

from __future__ import annotations

import pytest

from tunixrt_core.render import ParsedCompletion
from tunixrt_core.scorers import SCORERS, exact_match, format_valid, same_answer


@pytest.mark.parametrize(
    ("given", "reference"),
    [("72", "72"), ("1,000", "1000"), ("$5", "5"), ("5.00", "5"), ("5.", "5"), ("Paris ", "paris"), ("50%", "50")],
)
def test_equal_answers_are_equal(given: str, reference: str) -> None:
    assert same_answer(given, reference)


@pytest.mark.parametrize(
    ("given", "reference"),
    [("72", "27"), ("1,00", "100"), ("5 apples", "5"), ("", "0"), ("٣", "3"), ("1e3", "1000"), ("12", "1 2")],
)
def test_different_answers_are_different(given: str, reference: str) -> None:
    assert not same_answer(given, reference)


def test_no_answer_scores_zero_on_both_scorers() -> None:
    parsed = ParsedCompletion(("a step",), None)
    assert exact_match(parsed, "5") == format_valid(parsed, "5") == 0.0


def test_a_wrong_answer_in_the_right_structure_is_format_valid() -> None:
    assert format_valid(ParsedCompletion((), "4"), "5") == 1.0
    assert exact_match(ParsedCompletion((), "4"), "5") == 0.0


def test_every_scorer_has_a_name_of_its_own() -> None:
    assert len({scorer.name for scorer in SCORERS}) == len(SCORERS)
