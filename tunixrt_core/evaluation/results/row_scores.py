"""One score per row, and two evaluations paired by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.predictions import Prediction


@dataclass(frozen=True, slots=True)
class RowScore:
    """The result of one row. `score` is the mean over its answers that have a score, None where none has."""

    answers: tuple[Prediction, ...]
    score: float | None

    @property
    def first(self) -> Prediction:
        return self.answers[0]


@dataclass(frozen=True, slots=True)
class RowPair:
    """One row with a score on both sides."""

    id: str
    row: int
    first: float
    second: float
    groups: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pairs:
    """The rows that can be compared, in the order of the first's eval set, and how many cannot, by reason."""

    rows: tuple[RowPair, ...]
    only_first: int  # the second has no such row
    only_second: int
    changed: int  # same id, but another prompt or reference
    not_told: int  # one side has no score


def row_scores(predictions: Sequence[Prediction], scorer: str) -> dict[str, RowScore]:
    """The rows of one evaluation by id, ordered as in the eval set.

    Raises InvalidEvaluation where no answer was scored by this scorer.
    """
    if predictions and not any(scorer in p.scores for p in predictions):
        known = ", ".join(sorted({name for p in predictions for name in p.scores})) or "none"
        raise InvalidEvaluation(
            f"No answer has a score of {scorer}; available: {known}. Score the answers again with it."
        )
    found: dict[str, list[Prediction]] = {}
    for p in sorted(predictions, key=lambda p: (p.row, p.sample)):
        found.setdefault(p.id, []).append(p)
    return {name: RowScore(tuple(answers), _mean(answers, scorer)) for name, answers in found.items()}


def pair_rows(first: Mapping[str, RowScore], second: Mapping[str, RowScore]) -> Pairs:
    """Match the rows of both by id."""
    shared = [(row, second[name]) for name, row in first.items() if name in second]
    same = [(a, b) for a, b in shared if _asked(a) == _asked(b)]
    told = tuple(_pair(a, a.score, b.score) for a, b in same if a.score is not None and b.score is not None)
    return Pairs(
        told,
        only_first=len(first) - len(shared),
        only_second=len(second) - len(shared),
        changed=len(shared) - len(same),
        not_told=len(same) - len(told),
    )


def _pair(row: RowScore, first: float, second: float) -> RowPair:
    return RowPair(row.first.id, row.first.row, first, second, row.first.groups)


def _asked(row: RowScore) -> tuple[str, str]:
    return row.first.prompt, row.first.reference


def _mean(answers: Sequence[Prediction], scorer: str) -> float | None:
    values = [value for p in answers if (value := p.scores.get(scorer)) is not None]
    return fmean(values) if values else None
