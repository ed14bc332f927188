"""Two answers to a row give one verdict, and the filters find it."""

from __future__ import annotations

import pytest

from app.evaluations.results import Verdict, filter_pairs, pair_up
from tunixrt_core.evaluation.predictions import Prediction


def answer(id: str, value: float | None, *, sample: int = 0, scorer: str = "exact_match") -> Prediction:
    scores = {"exact_match": 1.0} | {scorer: value}
    return Prediction(id, "p", "5", "out", "5", scores, tokens=7, hit_limit=False, sample=sample)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [(1, 1, "Both right"), (0, 1, "Fixed"), (1, 0, "Broken"), (0, 0, "Both wrong"), (None, 1, "Undecided")],
)
def test_right_and_wrong_are_told_apart(first: float | None, second: float, verdict: str) -> None:
    (pair,) = pair_up([answer("a", first)], [answer("a", second)], "exact_match")
    assert pair.verdict == verdict


@pytest.mark.parametrize(
    ("first", "second", "higher", "verdict"),
    [
        (3, 5, True, "Better"),
        (3, 5, False, "Worse"),
        (5, 3, False, "Better"),
        (3, 3, True, "Same"),
        (3, 5, None, "Same"),
        (0, 1, False, "Worse"),
        (0.5, 0.75, True, "Better"),
    ],
)
def test_other_scores_are_better_or_worse_by_their_direction(
    first: float, second: float, higher: bool | None, verdict: str
) -> None:
    before, after = [answer("a", first, scorer="tokens")], [answer("a", second, scorer="tokens")]
    (pair,) = pair_up(before, after, "tokens", higher_is_better=higher)
    assert pair.verdict == verdict


def test_pairs_stand_in_the_order_of_the_second_and_nobody_is_lost() -> None:
    pairs = pair_up([answer("b", 1), answer("c", 0)], [answer("a", 1), answer("b", 0)], "exact_match")
    assert [(pair.any.id, pair.verdict.value) for pair in pairs] == [
        ("a", "One answered"),
        ("b", "Broken"),
        ("c", "One answered"),
    ]


def test_samples_of_a_row_are_paired_each_with_its_own() -> None:
    first = [answer("a", 0, sample=0), answer("a", 1, sample=1)]
    second = [answer("a", 1, sample=0), answer("a", 1, sample=1)]
    assert [pair.verdict for pair in pair_up(first, second, "exact_match")] == [Verdict.FIXED, Verdict.RIGHT]


def test_a_filter_keeps_its_verdicts_and_all_keeps_all() -> None:
    first = [answer(name, value) for name, value in zip("abcd", [1, 0, 1, 0], strict=True)]
    second = [answer(name, value) for name, value in zip("abcd", [1, 1, 0, 0], strict=True)]
    pairs = pair_up(first, second, "exact_match")
    found = {name: [p.any.id for p in filter_pairs(pairs, name)] for name in ("Fixed", "Broken", "Both wrong", "All")}
    assert found == {"Fixed": ["b"], "Broken": ["c"], "Both wrong": ["d"], "All": list("abcd")}
