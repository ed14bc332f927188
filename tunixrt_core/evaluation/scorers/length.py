"""Scorers: length of an answer, and whether it was cut off."""

from __future__ import annotations

from tunixrt_core.evaluation.scorers.scorer import Answer, Score, Scorer


def length(answer: Answer) -> Score:
    """The number of generated tokens."""
    return Score(float(answer.tokens))


def hit_limit(answer: Answer) -> Score:
    """1 where the answer was cut off at the maximum length."""
    return Score(float(answer.hit_limit))


SCORERS = (
    Scorer("length", 1, "how many tokens the model wrote", length, "tokens", None),
    Scorer("hit_limit", 1, "the answer was cut off at the maximum length", hit_limit, "share", False),
)
