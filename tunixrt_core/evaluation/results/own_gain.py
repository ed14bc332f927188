"""Gain of a model over its base asked in the base's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.results.format_gain import FLEXIBLE
from tunixrt_core.evaluation.results.row_scores import pair_rows, row_scores
from tunixrt_core.evaluation.results.statistics import Estimate, bootstrap_interval, mcnemar


@dataclass(frozen=True, slots=True)
class OwnGain:
    """The second minus the base with its own prompt, by right answers in any form, as a share with its 95 % interval.

    Counts the `rows` that both, and the base with the run's prompt, have answered. `fixed` and `broken` are the rows on
    which the second is better and worse, `p_value` McNemar's exact test of them (the sign test where a row has several
    answers). `base` and `own` are the base's shares with the run's prompt and with its own, `cut` the share of its own
    answers that ended at the token limit.
    """

    rows: int
    gain: Estimate
    fixed: int
    broken: int
    p_value: float
    base: float
    own: float
    cut: float

    @property
    def prompt(self) -> float:
        """The part of the gain that is the prompt: what the base has right in its own prompt, and not in the run's."""
        return self.own - self.base

    @property
    def sentence(self) -> str:
        """The gain in words; claims one only where its interval is on one side of 0."""
        unclear = ", not clear" if self.gain.low <= 0 <= self.gain.high else ""
        cut = f" {self.cut:.0%} of the base's own answers ended at the token limit: raise it." if self.cut else ""
        return (
            f"Over the base in its own prompt: {self.gain.value:+.3f} "
            f"({self.gain.low:+.3f} to {self.gain.high:+.3f}{unclear}), p = {self.p_value:.2g}. "
            f"Prompt alone: {self.prompt:+.3f}.{cut}"
        )


def own_gain(base: Sequence[Prediction], second: Sequence[Prediction], own: Sequence[Prediction]) -> OwnGain | None:
    """The gain of the second over `own`, the base model's answers to its own prompt.

    None where a side was not scored by `flexible_match`, or all three share no row.
    """
    sides = (base, second, own)
    if not all(any(FLEXIBLE in p.scores for p in side) for side in sides):
        return None
    first, tuned, own_rows = (row_scores(side, FLEXIBLE) for side in sides)
    shared = {pair.id: pair for pair in pair_rows(first, tuned).rows}
    pairs = [(shared[pair.id], pair) for pair in pair_rows(own_rows, tuned).rows if pair.id in shared]
    if not pairs:
        return None
    gains = [pair.second - pair.first for _, pair in pairs]
    fixed, broken = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    return OwnGain(
        rows=len(pairs),
        gain=Estimate(fmean(gains), *bootstrap_interval(gains)),
        fixed=fixed,
        broken=broken,
        p_value=mcnemar(fixed, broken),
        base=fmean(with_run.first for with_run, _ in pairs),
        own=fmean(pair.first for _, pair in pairs),
        cut=fmean(answer.hit_limit for _, pair in pairs for answer in own_rows[pair.id].answers),
    )
