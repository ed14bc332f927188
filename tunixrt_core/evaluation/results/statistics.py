"""Intervals, exact paired tests, pass@k and sample sizes."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import TypeVar

CONFIDENCE = 0.95
RESAMPLES = 10_000
POWER = 0.8

_FEWEST_RESAMPLES = 1_000
_MOST_DRAWS = 20_000_000
_DRAWS_AT_ONCE = 1_000_000  # numbers that a bootstrap holds at a time: 8 MB
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


def wilson_interval(right: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of a share, inside 0 to 1 also for small n; (0, 1) where n is 0.

    With z the quantile of the normal distribution and p = right / n (Wilson 1927, JASA 22, 209-212):
    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    """
    if n == 0:
        return 0.0, 1.0
    z = _quantile((1 + confidence) / 2)
    share, spread = right / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def sign_tail(k: int, n: int) -> float:
    """P(X <= k) where X counts the heads of n throws of a fair coin.

    Each binomial coefficient is its neighbour times i / (n - i + 1), from the middle outwards, as a share of their sum,
    so nothing overflows, and n = 1,000,000 takes a hundredth of a second. Below 1e-307 it is 0.
    """
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    if 2 * k >= n:
        return 1.0 - sign_tail(n - k - 1, n)
    weights = _lower_weights(n)
    whole = 2 * math.fsum(weights) - (1.0 if n % 2 == 0 else 0.0)  # an even n has one middle, not two
    return math.fsum(weights[n // 2 - k :]) / whole


def mcnemar(fixed: int, broken: int) -> float:
    """Exact two-sided p of McNemar's test (1947), which is the sign test: 2 P(X <= min(fixed, broken)), at most 1,
    where X counts the heads of a fair coin thrown once for every row that flipped.
    """
    return min(1.0, 2 * sign_tail(min(fixed, broken), fixed + broken))


def sign_test_fewer(wins: int, losses: int) -> float:
    """Exact one-sided p of the sign test: P(X <= wins) under a fair coin. Small where wins are too few for chance."""
    return sign_tail(wins, wins + losses)


def fewest_flips(alpha: float = 0.05) -> int:
    """The smallest number of flipped rows whose two-sided sign test can give p < alpha: p = 2 / 2ⁿ if all agree."""
    return math.floor(math.log2(2 / alpha)) + 1


def bootstrap_interval(
    values: Sequence[float], *, confidence: float = CONFIDENCE, resamples: int | None = None, seed: int = 0
) -> tuple[float, float]:
    """The percentile interval of the mean of `values`; of paired rows, give their differences.

    Rows are drawn with replacement, as many as there are; the interval holds the middle of the means of all
    resamples (Efron & Tibshirani 1993, An Introduction to the Bootstrap, 13.3). The same values, in any order, and the
    same seed give the same interval. Equal values have an interval of width 0.

    The default is 10,000 resamples; for many rows with many different scores fewer, at least 1,000, so that 50,000 rows
    take a second at most. Raises ValueError where there are no values.
    """
    import numpy as np  # imported here, so that a process that compares nothing does not load it

    if not values:
        raise ValueError("bootstrap: there are no values. Give at least one.")
    n, random = len(values), np.random.default_rng(seed)
    told = np.sort(np.asarray(values, dtype=np.float64))
    different, counts = np.unique(told, return_counts=True)
    if len(different) <= max(10, min(100, n // 10)):
        # draws per distinct value are multinomial: a million rows of right and wrong cost as much as ten
        drawn = random.multinomial(n, counts / n, size=resamples or RESAMPLES)
        means = drawn @ different / n
    else:
        many = resamples or max(_FEWEST_RESAMPLES, min(RESAMPLES, _MOST_DRAWS // n))
        at_once = max(1, _DRAWS_AT_ONCE // n)
        sizes = [min(at_once, many - begun) for begun in range(0, many, at_once)]
        means = np.concatenate([told[random.integers(n, size=(size, n), dtype=np.int32)].mean(1) for size in sizes])
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def mean_interval(values: Sequence[float]) -> Estimate | None:
    """The mean of row scores with its 95 % interval: Wilson's where every score is 0 or 1, else the bootstrap's over
    rows. None without scores.
    """
    if not values:
        return None
    mean = fmean(values)
    if is_binary(values):
        return Estimate(mean, *wilson_interval(round(sum(values)), len(values)))
    return Estimate(mean, *bootstrap_interval(values))


def is_binary(values: Sequence[float]) -> bool:
    return all(value in (0.0, 1.0) for value in values)


def pass_at_k(right: int, n: int, k: int) -> float:
    """The unbiased estimate of the chance that at least one of k answers is right, from n answers with `right` right.

    1 - C(n - right, k) / C(n, k) (Chen et al. 2021, Evaluating Large Language Models Trained on Code, equation 1), as
    a product so that nothing overflows. For an eval set take the mean over its rows. Raises ValueError for other
    than 1 <= k <= n and 0 <= right <= n.
    """
    if not (1 <= k <= n and 0 <= right <= n):
        raise ValueError(f"pass@{k} of {right} right among {n} answers: k must be from 1 to the number of answers")
    if n - right < k:
        return 1.0  # there are fewer than k wrong ones
    return 1.0 - math.prod(1.0 - k / i for i in range(n - right + 1, n + 1))


def holm(p_values: Mapping[_Key, float]) -> dict[_Key, float]:
    """Each p adjusted for the number of tests: adjusted p below alpha keeps the chance of even one false
    alarm below alpha (Holm 1979, Scand. J. Statist. 6, 65-70): the i-th smallest times (m - i + 1), never falling.
    """
    adjusted: dict[_Key, float] = {}
    highest, m = 0.0, len(p_values)
    for i, (key, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (m - i) * p))
        adjusted[key] = highest
    return adjusted


def rows_needed(differences: Sequence[float], *, alpha: float = 0.05, power: float = POWER) -> int | None:
    """The approximate number of rows that show a difference like this one with `power`. None where there is none.

    (z₁₋α⸝₂ √q + z_power √(q - d²))² / d², with d the mean and q the mean square of the differences; where they are -1,
    0 and 1, q is the share of flipped rows and this is Connor's formula for McNemar's test (1987, Biometrics 43, 207).
    It takes the observed difference as the true one, so it is a rough figure.
    """
    if not differences or (d := fmean(differences)) == 0:
        return None
    q = fmean(x * x for x in differences)
    total = _quantile(1 - alpha / 2) * math.sqrt(q) + _quantile(power) * math.sqrt(max(0.0, q - d * d))
    return math.ceil((total / d) ** 2)


def _quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)


def _lower_weights(n: int) -> list[float]:
    """C(n, i) / C(n, n // 2) for i from n // 2 down to 0, as far as it is a whole float."""
    weights, weight = [], 1.0
    for i in range(n // 2, -1, -1):
        if weight < sys.float_info.min:
            break  # below it a float loses its digits, and would stay above 0 forever
        weights.append(weight)
        weight *= i / (n - i + 1)
    return weights
