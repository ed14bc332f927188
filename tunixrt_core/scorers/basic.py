"""Scorers that look at the final answer and at the structure around it."""

from __future__ import annotations

from tunixrt_core.scorers.same import same_answer
from tunixrt_core.scorers.scorer import Answer, Score, Scorer


def exact_match(answer: Answer) -> Score:
    """1 where the final answer equals the reference, as text or as a number (see `same_answer`)."""
    given = answer.parsed.answer
    return Score(float(given is not None and same_answer(given, answer.reference)))


def format_valid(answer: Answer) -> Score:
    """1 where the expected structure is there, so that an answer could be read from it."""
    return Score(float(answer.parsed.answer is not None))


BASIC: tuple[Scorer, ...] = (
    Scorer("exact_match", 1, "the final answer equals the reference, as text or as a number", exact_match),
    Scorer("format_valid", 1, "the expected structure is there", format_valid),
)
