"""What the predictions of one evaluation come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.statistics import wilson_interval


def summarise(predictions: Sequence[Prediction], scorers: Mapping[str, int]) -> dict[str, Any]:
    """Mean of every score, over the answers that have one, by scorer name, with how many there were and the words
    beside them; the 95 % Wilson interval of exact match; mean tokens, share that hit the limit.

    `scorers` gives the version of each scorer.
    """
    n = len(predictions)
    if not n:
        return {"rows": 0, "answers": 0}
    low, high = wilson_interval(sum(p.correct for p in predictions), n)
    return {
        "rows": len({p.row for p in predictions}),
        "answers": n,
        **{name: _mean(predictions, name) for name in scorers},
        "exact_match_low": low,
        "exact_match_high": high,
        "mean_tokens": fmean(p.tokens for p in predictions),
        "hit_limit": fmean(p.hit_limit for p in predictions),
        "verdicts": {name: dict(found) for name in scorers if (found := _words(predictions, name))},
        "scorers": dict(scorers),
    }


def _mean(predictions: Sequence[Prediction], name: str) -> float | None:
    values = [value for p in predictions if (value := p.scores.get(name)) is not None]
    return fmean(values) if values else None


def _words(predictions: Sequence[Prediction], name: str) -> Counter[str]:
    return Counter(p.verdicts[name] for p in predictions if name in p.verdicts)
