"""Scores are counted row by row, and the statistics are those of the textbooks."""

from __future__ import annotations

from math import comb

import pytest

from tunixrt_core.evaluation import Prediction, compare, flipped, mcnemar, wilson_interval


def prediction(name: str, right: bool) -> Prediction:
    scores = {"exact_match": float(right), "format_valid": 1.0}
    return Prediction(name, "p", "5", "out", "5" if right else "4", scores, tokens=7, hit_limit=False)


def test_a_comparison_is_paired_by_row_and_counts_each_kind() -> None:
    first = [prediction(name, right) for name, right in zip("abcde", [1, 1, 0, 0, 1], strict=True)]
    second = [prediction(name, right) for name, right in zip("edcba", [0, 1, 1, 1, 1], strict=True)]
    result = compare(first, second)
    assert (result.both, result.fixed, result.broken, result.neither) == (2, 2, 1, 0)
    assert [(a.id, b.id) for a, b in flipped(first, second)] == [("c", "c"), ("d", "d"), ("e", "e")]


def test_rows_that_only_one_side_answered_are_left_out_of_a_comparison() -> None:
    assert compare([prediction("a", True)], [prediction("b", True)]).rows == 0


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (5, 5), (1, 0), (10, 2), (78, 44)])
def test_mcnemar_is_the_exact_two_sided_binomial_test(fixed: int, broken: int) -> None:
    n = fixed + broken
    # every outcome that is no more likely than the one seen, under a fair coin
    likely = [comb(n, k) / 2**n for k in range(n + 1)]
    expected = sum(p for p in likely if p <= likely[fixed] * (1 + 1e-9))
    assert mcnemar(fixed, broken) == pytest.approx(min(1.0, expected))


def test_the_wilson_interval_matches_published_figures() -> None:
    # Newcombe 1998, table I: 81 of 263, and 0 of 20
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)
