"""Answers of two evaluations aligned by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.ui.words import one_line
from tunixrt_core.evaluation.predictions import Prediction


class Verdict(StrEnum):
    """Relation of the first and the second answer to a row. Fixed: the first is wrong, the second right."""

    RIGHT = "Both right"
    FIXED = "Fixed"
    BROKEN = "Broken"
    WRONG = "Both wrong"
    BETTER = "Better"
    WORSE = "Worse"
    SAME = "Same"
    ALONE = "One answered"
    UNDECIDED = "Undecided"


_OF_RIGHT_AND_WRONG = {
    (1.0, 1.0): Verdict.RIGHT,
    (0.0, 1.0): Verdict.FIXED,
    (1.0, 0.0): Verdict.BROKEN,
    (0.0, 0.0): Verdict.WRONG,
}


@dataclass(frozen=True, slots=True)
class Pair:
    """The answers to one row; one is missing if only one side has answered."""

    first: Prediction | None
    second: Prediction | None
    verdict: Verdict

    @property
    def any(self) -> Prediction:
        found = self.second or self.first
        assert found is not None, "a pair has at least one answer"
        return found


# verdicts that pass a filter; All has no entry
FILTERS: Mapping[str, frozenset[Verdict]] = {
    "Broken": frozenset({Verdict.BROKEN, Verdict.WORSE}),
    "Fixed": frozenset({Verdict.FIXED, Verdict.BETTER}),
    "Both wrong": frozenset({Verdict.WRONG}),
}
ALL = "All"


def pair_up(
    first: Sequence[Prediction], second: Sequence[Prediction], scorer: str, *, higher_is_better: bool | None = True
) -> list[Pair]:
    """Pairs in the order of the eval set, by row and sample."""
    by_place = {(p.id, p.sample): p for p in first}
    pairs = [_pair(by_place.pop((p.id, p.sample), None), p, scorer, higher_is_better) for p in second]
    return pairs + [_pair(p, None, scorer, higher_is_better) for p in by_place.values()]


def _pair(first: Prediction | None, second: Prediction | None, scorer: str, higher_is_better: bool | None) -> Pair:
    return Pair(first, second, _verdict(first, second, scorer, higher_is_better))


def _verdict(
    first: Prediction | None, second: Prediction | None, scorer: str, higher_is_better: bool | None
) -> Verdict:
    if first is None or second is None:
        return Verdict.ALONE
    a, b = first.scores.get(scorer), second.scores.get(scorer)
    if a is None or b is None:
        return Verdict.UNDECIDED
    if higher_is_better and (a, b) in _OF_RIGHT_AND_WRONG:
        return _OF_RIGHT_AND_WRONG[a, b]
    if a == b or higher_is_better is None:
        return Verdict.SAME
    return Verdict.BETTER if (b > a) is higher_is_better else Verdict.WORSE


def filter_pairs(pairs: Sequence[Pair], chosen: str) -> list[Pair]:
    """The pairs that pass the named filter of FILTERS."""
    wanted = FILTERS.get(chosen)
    return [pair for pair in pairs if wanted is None or pair.verdict in wanted]


def line_of(pair: Pair) -> dict[str, Any]:
    """A pair as one line of a listing."""
    told = pair.any
    return {
        "id": told.id,
        "row": told.row,
        "sample": told.sample,
        "prompt": one_line(told.prompt, 160),
        "reference": one_line(told.reference, 40),
        "first": _answer(pair.first),
        "second": _answer(pair.second),
        "verdict": pair.verdict.value,
    }


def _answer(prediction: Prediction | None) -> str | None:
    return one_line(prediction.answer, 40) if prediction and prediction.answer is not None else None
