"""Regression gate: whether the second evaluation is worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.results.figures import Figures


class Outcome(StrEnum):
    WORSE = "worse"
    NOT_WORSE = "not worse"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of the gate, with a sentence. `p_value` is the exact one-sided p that the second is worse."""

    outcome: Outcome
    p_value: float
    largest_drop: float | None  # not ruled out by these rows, in units of the score, at least 0; None without rows
    sentence: str

    @property
    def failed(self) -> bool:
        """Whether `--fail-if-worse` ends with an error: for `worse` only, not where the rows are inconclusive."""
        return self.outcome is Outcome.WORSE

    def __bool__(self) -> bool:
        """Makes `if worse(comparison)` true for `worse` only."""
        return self.failed


def worse(comparison: Figures, alpha: float = 0.05, margin: float = 0.0) -> Verdict:
    """The verdict on the second of two sides.

    Worse: the exact one-sided sign test (McNemar's) gives p < alpha, and the mean fell by more than `margin`, which is
    in units of the score and at least 0. Not worse: these rows rule out a drop larger than the margin, or the second
    is better with p < alpha. Else it is `cannot tell`. Raises InvalidEvaluation for an invalid alpha or margin.

    The largest drop that is not ruled out is the far end of the 95 % interval. Where no row got worse, that interval
    would end at 0 for any number of rows, so the drop is at least 1 - alpha^(1/n), the share that n rows without a loss
    do not rule out (the rule of three; Hanley & Lippman-Hand 1983, JAMA 249, 1743).
    """
    if not 0 < alpha < 1:
        raise InvalidEvaluation(f"alpha is {alpha}. Set it between 0 and 1.")
    if math.isnan(margin) or margin < 0:
        raise InvalidEvaluation(f"margin is {margin}. Set it to 0 or above.")
    gain, p = comparison.gain, comparison.p_worse
    if gain is None:
        return Verdict(Outcome.CANNOT_TELL, p, None, "Cannot tell: no row can be compared.")
    drop = _largest_drop(comparison, gain.low, alpha)
    said = f"{comparison.wins} better, {comparison.losses} worse of {comparison.rows:,} rows, one-sided p = {p:.2g}"
    if p < alpha and gain.value < -margin:
        return Verdict(Outcome.WORSE, p, drop, f"Worse: the mean fell by {-gain.value:.3f} ({said}).")
    if 0.5**comparison.rows >= alpha:
        return Verdict(
            Outcome.CANNOT_TELL, p, drop, f"Cannot tell: {comparison.rows} rows are too few for any result to show it."
        )
    if comparison.p_better < alpha and gain.value > 0:
        return Verdict(Outcome.NOT_WORSE, p, drop, f"Not worse: better by {gain.value:.3f} ({said}).")
    if drop <= margin:
        return Verdict(Outcome.NOT_WORSE, p, drop, f"Not worse by more than {margin:g} ({said}).")
    return Verdict(Outcome.CANNOT_TELL, p, drop, f"Cannot tell: a drop of {drop:.3f} is not ruled out ({said}).")


def _largest_drop(figures: Figures, low: float, alpha: float) -> float:
    # a share of rows is a drop of the mean only where a row loses 1 at most
    unseen = 1 - alpha ** (1 / figures.rows) if figures.binary and not figures.losses else 0.0
    return max(0.0, -low, unseen)
