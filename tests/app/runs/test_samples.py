"""Answers to the fixed prompts are grouped by train step, a repeated train step by its last answers."""

from __future__ import annotations

from app.runs.samples import group_by_step, summary_line
from tunixrt_core.runs.metrics import SampleAnswer


def record(step: int, id: str, right: float, output: str = "so") -> SampleAnswer:
    scores = {"exact_match": right, "format_valid": 1.0}
    return SampleAnswer(train_step=step, id=id, output=output, scores=scores)


def test_answers_are_grouped_by_train_step_in_order() -> None:
    found = group_by_step([record(20, "a", 1), record(0, "a", 0), record(0, "b", 0)])
    assert [(step, list(answers)) for step, answers in found.items()] == [(0, ["a", "b"]), (20, ["a"])]


def test_of_a_train_step_that_was_repeated_the_last_answers_count() -> None:
    found = group_by_step([record(5, "a", 0, "before"), record(5, "a", 1, "after")])
    assert found[5]["a"].output == "after"


def test_the_summary_counts_what_is_right_and_what_has_the_structure() -> None:
    answers = group_by_step([record(600, "a", 1), record(600, "b", 0), record(600, "c", 1)])[600]
    assert summary_line(600, answers) == (
        "Greedy answers to 3 fixed prompts at train step 600: format valid 3 of 3, exact match 2 of 3."
    )
