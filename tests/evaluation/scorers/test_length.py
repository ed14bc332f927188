"""Length and limit are what the generator counted."""

from __future__ import annotations

from tests.evaluation.scorers.makers import answer_of
from tunixrt_core.evaluation.scorers.length import hit_limit, length
from tunixrt_core.evaluation.scorers.scorer import Answer, Score
from tunixrt_core.traces.rendering.styles import ReasoningStyle


def test_length_is_in_tokens() -> None:
    assert length(answer_of("a b c", tokens=12)) == Score(12.0)


def test_an_answer_that_was_cut_off_hit_the_limit() -> None:
    assert hit_limit(answer_of("5")) == Score(0.0)
    assert hit_limit(Answer("p", "5", "5", ReasoningStyle.TAGS, 8, hit_limit=True)) == Score(1.0)
