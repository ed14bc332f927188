"""Steps are counted, and the answer has to be in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.scorers.makers import answer_of, said
from tunixrt_core.evaluation.scorers.scorer import Score
from tunixrt_core.evaluation.scorers.steps import answer_in_reasoning, step_count
from tunixrt_core.traces.rendering.styles import ReasoningStyle


@given(st.lists(st.text("abc 12", min_size=1).filter(str.strip), max_size=6))
def test_as_many_steps_are_counted_as_were_written(steps: list[str]) -> None:
    assert step_count(said("5", "5", *steps)) == Score(float(len(steps)))


def test_marks_of_a_broken_structure_are_no_steps() -> None:
    assert step_count(answer_of("<reasoning>\na\nb")) == Score(2.0)
    assert step_count(answer_of("<think>\na\nb\n", style=ReasoningStyle.THINK)) == Score(2.0)


def test_numbered_steps_may_have_several_lines() -> None:
    answer = said("5", "5", "a\nb", "c", style=ReasoningStyle.NUMBERED)
    assert step_count(answer) == Score(2.0)


@pytest.mark.parametrize(
    ("given", "step", "score"),
    [
        ("5", "2 and 3 is 5.", Score(1.0)),
        ("1,000", "that is 1000 now", Score(1.0)),
        ("New York", "it is in new york then", Score(1.0)),
        ("5", "2 and 3 is 15.", Score(0.0, "missing")),
        ("Paris", "it is in London", Score(0.0, "missing")),
    ],
)
def test_the_answer_stands_in_the_reasoning_or_not(given: str, step: str, score: Score) -> None:
    assert answer_in_reasoning(said(given, "5", step)) == score


def test_without_answer_or_reasoning_they_cannot_agree() -> None:
    assert answer_in_reasoning(answer_of("<reasoning>\n5")) == Score(0.0, "no answer")
    assert answer_in_reasoning(said("5", "5")) == Score(0.0, "no reasoning")


def test_a_style_without_reasoning_has_nothing_to_agree_with() -> None:
    assert answer_in_reasoning(said("5", style=ReasoningStyle.ANSWER)) == Score(None, "no reasoning")
