"""Scorers with a setting: a text or pattern in the output."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.scorers.scorer import LOST, Answer, ProcessKind, Question, Score, Scorer

# A pattern such as (a+)+$ can take practically forever, and `re` cannot be interrupted.
SEARCH = ProcessKind("tunixrt_core.evaluation.scorers.search:search", seconds=2.0, megabytes=512)


@dataclass(frozen=True, slots=True)
class Template:
    """A scorer that takes a setting: `name=SETTING`. `make` raises InvalidEvaluation for an invalid one."""

    name: str
    setting: str
    version: int
    about: str
    make: Callable[[str], Callable[[Answer], Score | Question]]

    def scorer(self, value: str) -> Scorer:
        return Scorer(f"{self.name}={value}", self.version, self.about, self.make(value))


def contains(text: str) -> Callable[[Answer], Score]:
    """1 where the output contains exactly this text."""

    def score(answer: Answer) -> Score:
        return Score(float(text in answer.output))

    return score


def regex(pattern: str) -> Callable[[Answer], Question]:
    """1 where the pattern matches somewhere in the output. The search runs in a process that is killed after 2 seconds;
    the score is None and the label `timeout` then.
    """
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidEvaluation(f"regex={pattern} is not a regular expression ({error}). Fix it.") from error

    def score(answer: Answer) -> Question:
        return Question(SEARCH, answer.output, pattern, _told)

    return score


def search(text: str, pattern: str) -> str:
    """`found` or `not found`. Runs in a process of its own."""
    return "found" if re.search(pattern, text) else "not found"


def _told(word: str) -> Score:
    return Score(None, word) if word in LOST else Score(float(word == "found"))


TEMPLATES = (
    Template("contains", "TEXT", 1, "the output contains the text", contains),
    Template("regex", "PATTERN", 1, "the regular expression matches somewhere in the output", regex),
)
