"""Predictions of base and tuned model put side by side, row by row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tunixrt_core.evaluation import Prediction


class Verdict(StrEnum):
    """What training did to one row. Fixed means: wrong by the base model, right by the tuned one."""

    RIGHT = "Both right"
    FIXED = "Fixed"
    BROKEN = "Broken"
    WRONG = "Both wrong"
    ALONE = "One answered"


@dataclass(frozen=True, slots=True)
class Pair:
    """The predictions for one row; one of them is missing where only one model has answered so far."""

    base: Prediction | None
    tuned: Prediction | None

    @property
    def any(self) -> Prediction:
        found = self.tuned or self.base
        assert found is not None, "a pair has at least one prediction"
        return found

    @property
    def verdict(self) -> Verdict:
        if self.base is None or self.tuned is None:
            return Verdict.ALONE
        return {
            (True, True): Verdict.RIGHT,
            (False, True): Verdict.FIXED,
            (True, False): Verdict.BROKEN,
            (False, False): Verdict.WRONG,
        }[self.base.correct, self.tuned.correct]

    @property
    def wrong(self) -> bool:
        """The newest answer is wrong: the tuned one's where there is one."""
        return not self.any.correct


FILTERS = ("All", "Fixed", "Broken", "Wrong")


def pair_up(base: Sequence[Prediction], tuned: Sequence[Prediction]) -> list[Pair]:
    """Pairs in the order of the eval split."""
    by_id = {p.id: p for p in base}
    pairs = [Pair(by_id.pop(p.id, None), p) for p in tuned]
    return pairs + [Pair(p, None) for p in by_id.values()]


def filter_pairs(pairs: Sequence[Pair], chosen: str) -> list[Pair]:
    """The pairs that one of FILTERS names."""
    if chosen == "Fixed":
        return [pair for pair in pairs if pair.verdict is Verdict.FIXED]
    if chosen == "Broken":
        return [pair for pair in pairs if pair.verdict is Verdict.BROKEN]
    if chosen == "Wrong":
        return [pair for pair in pairs if pair.wrong]
    return list(pairs)
