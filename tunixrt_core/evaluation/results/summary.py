"""Metrics of one evaluation, from its predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.results.row_scores import row_scores
from tunixrt_core.evaluation.results.statistics import mean_interval


def summarise(predictions: Sequence[Prediction], scorers: Mapping[str, int]) -> dict[str, Any]:
    """Mean of every score by scorer name, its 95 % interval in `intervals`, the labels of the scores, mean tokens, and
    the share that hit the limit.

    A row counts once, with the mean of its answers that have a score: several answers to one prompt are not as many
    prompts. `scorers` gives the version of each scorer.
    """
    n = len(predictions)
    if not n:
        return {"rows": 0, "answers": 0}
    told = {name: mean_interval(_row_means(predictions, name)) for name in scorers}
    intervals = {name: [found.low, found.high] for name, found in told.items() if found}
    low, high = intervals.get("exact_match", (0.0, 1.0))
    return {
        "rows": len({p.row for p in predictions}),
        "answers": n,
        **{name: found and found.value for name, found in told.items()},
        "intervals": intervals,
        "exact_match_low": low,
        "exact_match_high": high,
        "mean_tokens": fmean(p.tokens for p in predictions),
        "hit_limit": fmean(p.hit_limit for p in predictions),
        "verdicts": {name: dict(found) for name in scorers if (found := _words(predictions, name))},
        "scorers": dict(scorers),
    }


def _row_means(predictions: Sequence[Prediction], name: str) -> list[float]:
    return [row.score for row in row_scores(predictions, name).values() if row.score is not None]


def _words(predictions: Sequence[Prediction], name: str) -> Counter[str]:
    # the text after a colon is specific to one answer, such as the text of an error
    return Counter(p.verdicts[name].partition(":")[0] for p in predictions if name in p.verdicts)
