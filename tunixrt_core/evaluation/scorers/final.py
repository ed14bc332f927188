"""Scorers that compare the final answer with the reference."""

from __future__ import annotations

from tunixrt_core.evaluation.scorers.scorer import LOST, Answer, ProcessKind, Question, Score, Scorer
from tunixrt_core.traces.answers.pool import TARGET
from tunixrt_core.traces.answers.same import cheap_verdict, same_answer

MATH = ProcessKind(TARGET, seconds=5.0, megabytes=1024)


def exact_match(answer: Answer) -> Score:
    """1 where the final answer equals the reference, as text or as a number (see `same_answer`)."""
    given = answer.parsed.answer
    return Score(float(given is not None and same_answer(given, answer.reference)))


def final_answer(answer: Answer) -> Score | Question:
    """1 where the final answer means the same as the reference: as text, as a number, or by math-verify.

    The word is `correct`, `wrong`, `unparsable` (0: no answer could be read, or nothing can be computed with), or that
    of a math-verify that was ended: `timeout`, `memory`, `crash` (None: the answer may be right).
    """
    given = answer.parsed.answer
    if given is None:
        return Score(0.0, "unparsable")
    cheap = cheap_verdict(given, answer.reference)
    if cheap is None:
        return Question(MATH, given, answer.reference, _told)
    return Score(1.0, "correct") if cheap else Score(0.0, "wrong")


def _told(word: str) -> Score:
    if word == "right":
        return Score(1.0, "correct")
    return Score(None if word in LOST else 0.0, word)


SCORERS = (
    Scorer("exact_match", 1, "the final answer equals the reference, as text or as a number", exact_match),
    Scorer("final_answer", 1, "the final answer means the same: as text, number, or by math-verify", final_answer),
)
