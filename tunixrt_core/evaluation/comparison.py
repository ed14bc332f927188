"""Two evaluations put side by side, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.statistics import mcnemar


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two targets on the same rows. `p_value` is McNemar's exact two-sided test on the rows that flipped."""

    both: int
    fixed: int  # wrong by the first, right by the second
    broken: int
    neither: int
    p_value: float

    @property
    def rows(self) -> int:
        return self.both + self.fixed + self.broken + self.neither


def compare(first: Sequence[Prediction], second: Sequence[Prediction]) -> Comparison:
    """Paired comparison over the rows that both have answered, matched by row id."""
    other = {p.id: p.correct for p in second}
    pairs = [(p.correct, other[p.id]) for p in first if p.id in other]
    counts = {key: pairs.count(key) for key in ((True, True), (False, True), (True, False), (False, False))}
    fixed, broken = counts[False, True], counts[True, False]
    return Comparison(counts[True, True], fixed, broken, counts[False, False], mcnemar(fixed, broken))


def flipped(first: Sequence[Prediction], second: Sequence[Prediction]) -> Iterator[tuple[Prediction, Prediction]]:
    """Pairs of predictions for the same row of which exactly one is right."""
    other = {p.id: p for p in second}
    for p in first:
        if p.id in other and p.correct != other[p.id].correct:
            yield p, other[p.id]
