"""The statistics are those of the textbooks: they agree with scipy, statsmodels and the published figures."""

from __future__ import annotations

import itertools
import math
import random
import time
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, bootstrap
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from tunixrt_core.evaluation.results.statistics import (
    bootstrap_interval,
    fewest_flips,
    holm,
    mcnemar,
    mean_interval,
    pass_at_k,
    rows_needed,
    sign_tail,
    sign_test_fewer,
    wilson_interval,
)

COUNT = st.integers(0, 1000)


@given(right=COUNT, wrong=COUNT, confidence=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_wilson_interval_is_that_of_statsmodels(right: int, wrong: int, confidence: float) -> None:
    n = right + wrong
    if n == 0:
        assert wilson_interval(0, 0, confidence) == (0.0, 1.0)
        return
    expected = proportion_confint(right, n, alpha=1 - confidence, method="wilson")
    assert wilson_interval(right, n, confidence) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_wilson_interval_matches_published_figures() -> None:
    # Newcombe 1998, table I: 81 of 263, and 0 of 20
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


@given(fixed=COUNT, broken=COUNT)
def test_mcnemar_is_the_exact_two_sided_test_of_scipy(fixed: int, broken: int) -> None:
    expected = binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
    assert mcnemar(fixed, broken) == pytest.approx(expected, rel=1e-12, abs=1e-280)  # scipy has 0 below


@given(both=COUNT, fixed=st.integers(0, 300), broken=st.integers(1, 300), neither=COUNT)
def test_mcnemar_is_that_of_statsmodels_on_the_whole_table(both: int, fixed: int, broken: int, neither: int) -> None:
    expected = statsmodels_mcnemar([[both, broken], [fixed, neither]], exact=True).pvalue
    assert mcnemar(fixed, broken) == pytest.approx(min(1.0, expected), rel=1e-12)


@given(wins=COUNT, losses=COUNT)
def test_the_one_sided_test_is_the_lower_tail_of_the_binomial(wins: int, losses: int) -> None:
    expected = float(binom.cdf(wins, wins + losses, 0.5))
    assert sign_test_fewer(wins, losses) == pytest.approx(expected, rel=1e-12, abs=1e-280)  # scipy has 0 below


def test_every_short_tail_is_the_exact_fraction() -> None:
    for n in range(30):
        for k in range(n + 1):
            exact = sum(math.comb(n, i) for i in range(k + 1)) / 2**n
            assert sign_tail(k, n) == pytest.approx(exact, rel=1e-15)


@pytest.mark.parametrize("k", [490_000, 499_000, 500_000])
def test_a_million_flipped_rows_are_exact_and_quick(k: int) -> None:
    n = 1_000_000
    began = time.process_time()
    found = mcnemar(k, n - k)
    seconds = time.process_time() - began
    assert found == pytest.approx(_exact_two_sided(k, n), rel=1e-12)
    assert seconds < 5  # usually 0.01; term by term it takes minutes


def test_a_million_rows_all_fixed_do_not_overflow() -> None:
    assert mcnemar(1_000_000, 0) == 0.0
    assert mcnemar(0, 1000) == pytest.approx(2.0**-999, rel=1e-12)


def test_six_flipped_rows_are_the_fewest_that_can_tell() -> None:
    assert fewest_flips() == 6
    assert mcnemar(6, 0) < 0.05 <= mcnemar(5, 0)
    assert mcnemar(fewest_flips(0.001), 0) < 0.001 <= mcnemar(fewest_flips(0.001) - 1, 0)


def test_the_bootstrap_is_that_of_all_resamples_where_they_can_be_counted() -> None:
    values = [0.0, 1.0, 3.0, 7.0, 20.0, 21.0]
    means = [sum(drawn) / 6 for drawn in itertools.product(values, repeat=6)]  # all 46,656
    expected = np.quantile(means, [0.025, 0.975])
    assert bootstrap_interval(values) == pytest.approx(expected, abs=0.35)
    assert bootstrap_interval(values, resamples=400_000) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("kind", ["flips", "means of four", "lengths"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_bootstrap_agrees_with_scipy_on_random_rows(kind: str, seed: int) -> None:
    rows = np.random.default_rng(seed)
    values = {
        "flips": rows.choice([-1.0, 0.0, 1.0], p=[0.1, 0.6, 0.3], size=400),
        "means of four": rows.binomial(4, 0.3, size=150) / 4,
        "lengths": rows.gamma(2.0, 100.0, size=300),
    }[kind]
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=seed, batch=1000)
    low, high = theirs.confidence_interval
    found = bootstrap_interval(values.tolist(), seed=seed)
    assert found == pytest.approx((low, high), abs=0.03 * (high - low))  # both are drawn at random


@pytest.mark.parametrize("values", [[1.0, 0.0, -1.0, 1.0] * 20, [i * 1.25 for i in range(200)]], ids=["few", "many"])
def test_the_bootstrap_depends_on_the_values_and_the_seed_alone(values: list[float]) -> None:
    shuffled = random.Random(1).sample(values, len(values))
    assert bootstrap_interval(values) == bootstrap_interval(shuffled)
    a_few = [bootstrap_interval(values, seed=seed, resamples=50) for seed in (1, 2)]
    assert a_few[0] != a_few[1]


def test_an_interval_of_95_percent_holds_the_truth_in_about_95_of_100() -> None:
    rows = np.random.default_rng(7)
    samples = rows.choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2], size=(400, 150))
    intervals = [bootstrap_interval(sample, resamples=1000) for sample in samples.tolist()]
    assert 0.92 <= sum(low <= 0.1 <= high for low, high in intervals) / 400 <= 0.98


def test_an_interval_of_nothing_is_refused_and_there_is_no_mean_of_it() -> None:
    with pytest.raises(ValueError, match="no values"):
        bootstrap_interval([])
    assert mean_interval([]) is None


def test_a_mean_has_wilsons_interval_where_scores_are_right_or_wrong_and_the_bootstraps_elsewhere() -> None:
    binary, means = mean_interval([1.0] * 7 + [0.0] * 3), mean_interval([0.5, 1.0, 0.0, 0.25])
    assert binary is not None
    assert means is not None
    assert (binary.value, binary.low, binary.high) == (0.7, *wilson_interval(7, 10))
    assert (means.value, means.low, means.high) == (0.4375, *bootstrap_interval([0.5, 1.0, 0.0, 0.25]))


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_pass_at_k_is_the_share_of_draws_with_a_right_answer(n: int) -> None:
    for right in range(n + 1):
        answers = [True] * right + [False] * (n - right)
        for k in range(1, n + 1):
            drawn = [any(chosen) for chosen in itertools.combinations(answers, k)]
            assert pass_at_k(right, n, k) == pytest.approx(sum(drawn) / len(drawn), abs=1e-12)


@given(n=st.integers(1, 2000), data=st.data())
def test_pass_at_k_is_the_formula_of_the_paper(n: int, data: st.DataObject) -> None:
    right, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    exact = 1 - Decimal(math.comb(n - right, k)) / Decimal(math.comb(n, k))
    assert pass_at_k(right, n, k) == pytest.approx(float(exact), abs=1e-12)


@pytest.mark.parametrize(("right", "n", "k"), [(1, 4, 0), (1, 4, 5), (5, 4, 1), (-1, 4, 1), (0, 0, 1)])
def test_pass_at_k_refuses_what_cannot_be_told(right: int, n: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass@"):
        pass_at_k(right, n, k)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 30])
def test_holm_is_that_of_statsmodels(n: int) -> None:
    rows = random.Random(n)
    p_values = [rows.choice([1.0, 0.01, rows.random() ** 3]) for _ in range(n)]  # some are equal
    expected = multipletests(p_values, method="holm")[1]
    found = holm(dict(enumerate(p_values)))
    assert [found[i] for i in range(len(p_values))] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_rows_said_to_be_needed_show_the_difference_in_about_four_of_five_tries() -> None:
    needed = rows_needed([1.0] * 15 + [-1.0] * 5 + [0.0] * 80)
    assert needed is not None
    tables = np.random.default_rng(3).multinomial(needed, [0.15, 0.05, 0.8], size=3000)
    seen = sum(mcnemar(int(fixed), int(broken)) < 0.05 for fixed, broken, _ in tables) / 3000
    assert 0.7 < seen < 0.86


def test_no_number_of_rows_shows_a_difference_that_is_not_there() -> None:
    assert rows_needed([]) is None
    assert rows_needed([1.0, -1.0, 0.0]) is None


def _exact_two_sided(k: int, n: int) -> float:
    """With 50 digits, down to weights that add nothing to a float."""
    with localcontext(prec=50):
        weight, whole, tail = Decimal(1), Decimal(0), Decimal(0)
        for i in range(n // 2, n // 2 - 15_000, -1):
            whole += weight
            tail += weight if i <= k else 0
            weight = weight * i / (n - i + 1)
        return float(min(Decimal(1), 2 * tail / (2 * whole - 1)))
