"""Gain of a model divided into right answers and format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.results.row_scores import pair_rows, row_scores
from tunixrt_core.evaluation.results.statistics import Estimate, bootstrap_interval

STRICT, FLEXIBLE = "exact_match", "flexible_match"


@dataclass(frozen=True, slots=True)
class FormatGain:
    """Second minus first on the rows that both have answered, as shares with 95 % intervals.

    `strict` counts answers that are right and in the format of the run, `flexible` those that are right in any form.
    """

    strict: Estimate
    flexible: Estimate

    @property
    def format(self) -> float:
        """The part of the strict difference that is format: answers that were right before in another form."""
        return self.strict.value - self.flexible.value

    @property
    def sentence(self) -> str:
        """The division in words; claims a difference only where its interval is on one side of 0."""
        return (
            f"Right and in format: {_words(self.strict)}. Right in any form: {_words(self.flexible)}. "
            f"Format alone: {self.format:+.3f}."
        )


def format_gain(first: Sequence[Prediction], second: Sequence[Prediction]) -> FormatGain | None:
    """The gain of the second over the first; None where a side was not scored by both scorers, or shares no row."""
    found = [_difference(first, second, name) for name in (STRICT, FLEXIBLE)]
    strict, flexible = found
    return None if strict is None or flexible is None else FormatGain(strict, flexible)


def _difference(first: Sequence[Prediction], second: Sequence[Prediction], scorer: str) -> Estimate | None:
    if not all(any(scorer in p.scores for p in side) for side in (first, second)):
        return None
    pairs = pair_rows(row_scores(first, scorer), row_scores(second, scorer)).rows
    gains = [pair.second - pair.first for pair in pairs]
    return Estimate(fmean(gains), *bootstrap_interval(gains)) if gains else None


def _words(found: Estimate) -> str:
    unclear = ", not clear" if found.low <= 0 <= found.high else ""
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f}{unclear})"
