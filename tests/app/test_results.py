"""Predictions of both models stand side by side, row by row."""

from __future__ import annotations

import pytest

from app.results import Verdict, filter_pairs, pair_up
from tunixrt_core.evaluation import Prediction


def prediction(row: str, right: bool) -> Prediction:
    return Prediction(row, f"prompt {row}", "7", "…", "7" if right else "8", {"exact_match": float(right)}, 5, False)


BASE = [prediction("a", True), prediction("b", False), prediction("c", True), prediction("d", False)]
TUNED = [prediction("a", True), prediction("b", True), prediction("c", False), prediction("d", False)]


def test_each_row_gets_the_verdict_of_its_two_answers() -> None:
    assert [pair.verdict for pair in pair_up(BASE, TUNED)] == [
        Verdict.RIGHT,
        Verdict.FIXED,
        Verdict.BROKEN,
        Verdict.WRONG,
    ]


@pytest.mark.parametrize(("chosen", "rows"), [("All", "abcd"), ("Fixed", "b"), ("Broken", "c"), ("Wrong", "cd")])
def test_filters_pick_rows(chosen: str, rows: str) -> None:
    assert "".join(pair.any.id for pair in filter_pairs(pair_up(BASE, TUNED), chosen)) == rows


def test_a_row_that_one_model_has_not_answered_yet_is_kept() -> None:
    pairs = pair_up(BASE, TUNED[:1])
    assert [pair.any.id for pair in pairs] == ["a", "b", "c", "d"]
    assert pairs[1].verdict is Verdict.ALONE
    assert [pair.any.id for pair in filter_pairs(pairs, "Wrong")] == ["b", "d"]
