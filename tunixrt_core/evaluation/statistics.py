"""The textbook statistics of an evaluation: intervals of shares, tests of paired rows."""

from __future__ import annotations

import math


def mcnemar(fixed: int, broken: int) -> float:
    """Exact two-sided p of McNemar's test: a fair coin thrown once for every row that flipped."""
    n, k = fixed + broken, min(fixed, broken)
    tail: float = sum(math.comb(n, i) for i in range(k + 1)) / 2**n
    return min(1.0, 2 * tail)


def wilson_interval(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which stays inside 0 to 1 where n is small."""
    if n == 0:
        return 0.0, 1.0
    share, spread = right / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)
