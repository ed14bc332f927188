"""Paired scores: means with intervals, wins, losses, exact test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tunixrt_core.evaluation.results.row_scores import RowPair
from tunixrt_core.evaluation.results.statistics import (
    Estimate,
    bootstrap_interval,
    is_binary,
    mcnemar,
    mean_interval,
    rows_needed,
    sign_test_fewer,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Two sides on the same rows.

    `fixed` and `broken` are the rows on which the second is better and worse; `both` and `neither` are the rows that
    both have right and wrong, where every row's score is 0 or 1 (`binary`), else None. `p_value` is McNemar's exact
    two-sided test, which for other scores is the sign test on the rows that differ. Without rows there is no mean and
    no difference.
    """

    rows: int
    first: Estimate | None
    second: Estimate | None
    difference: Estimate | None  # second minus first, in units of the score, with the bootstrap's interval over rows
    higher_is_better: bool
    binary: bool
    both: int | None
    fixed: int
    broken: int
    neither: int | None
    p_value: float
    rows_needed: int | None  # rows that would show a difference like this one, about; None where there is none

    @property
    def wins(self) -> int:
        return self.fixed

    @property
    def losses(self) -> int:
        return self.broken

    @property
    def ties(self) -> int:
        return self.rows - self.fixed - self.broken

    @property
    def gain(self) -> Estimate | None:
        """The difference, with its sign chosen so that above 0 means that the second is better."""
        found = self.difference
        if found is None or self.higher_is_better:
            return found
        return Estimate(-found.value, -found.high, -found.low)

    @property
    def p_worse(self) -> float:
        """Exact one-sided p of this few wins of the second, where it is no worse."""
        return sign_test_fewer(self.wins, self.losses)

    @property
    def p_better(self) -> float:
        return sign_test_fewer(self.losses, self.wins)


def measure(pairs: Sequence[RowPair], higher_is_better: bool) -> Figures:
    """The figures of paired rows."""
    first, second = [pair.first for pair in pairs], [pair.second for pair in pairs]
    differences = [b - a for a, b in zip(first, second, strict=True)]
    more, less = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    fixed, broken = (more, less) if higher_is_better else (less, more)
    binary = is_binary(first) and is_binary(second)
    best = float(higher_is_better)
    both = sum(a == b == best for a, b in zip(first, second, strict=True))
    return Figures(
        rows=len(pairs),
        first=mean_interval(first),
        second=mean_interval(second),
        difference=Estimate(fmean(differences), *bootstrap_interval(differences)) if pairs else None,
        higher_is_better=higher_is_better,
        binary=binary,
        both=both if binary else None,
        fixed=fixed,
        broken=broken,
        neither=len(pairs) - fixed - broken - both if binary else None,
        p_value=mcnemar(fixed, broken),
        rows_needed=rows_needed(differences),
    )
