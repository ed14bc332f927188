"""Evaluations: both scores with their intervals, the paired comparison, and every prediction."""

from __future__ import annotations

import pytest

from tests.pages.conftest import checked, evaluate, make_run, open_page, press, words
from tunixrt_core.pipeline import Pipeline
from tunixrt_core.runs import RunStatus
from tunixrt_core.tunix_backend.availability import is_tunix_available


def test_without_runs_it_says_what_an_evaluation_is(rt: Pipeline) -> None:
    assert "No evaluations yet" in words(open_page("evaluations.py"))


def test_base_and_tuned_are_compared_on_the_same_prompts(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    evaluate(filled, run)
    n = filled.dataset("examples").eval_rows
    text = words(open_page("evaluations.py", run=run.id))
    assert "100.0%" in text
    assert f"({n} fixed, 0 broken)" in text
    assert "+100.0 points" in text


def test_every_prediction_can_be_filtered_and_read(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    evaluate(filled, run)
    n = filled.dataset("examples").eval_rows
    app = open_page("evaluations.py", run=run.id)
    assert len(app.dataframe[0].value) == n
    assert "&lt;answer&gt;" in words(app)
    app.get_by_key("show").set_value("Broken")
    assert "None." in words(checked(app.run()))


def test_several_evaluated_runs_stand_side_by_side(filled: Pipeline) -> None:
    for _ in range(2):
        evaluate(filled, make_run(filled, RunStatus.SUCCEEDED))
    board = open_page("evaluations.py").dataframe[0].value
    assert list(board["tuned"]) == [100.0, 100.0]
    assert list(board["base"]) == [0.0, 0.0]


def test_evaluating_is_offered_only_with_tunix_and_says_why(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    button = open_page("evaluations.py", run=run.id).button(key="evaluate")
    assert button.disabled is not is_tunix_available()


@pytest.mark.tunix
def test_one_press_evaluates_both_models(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    app = press(open_page("evaluations.py", run=run.id), "evaluate")
    assert filled.wait(30)
    checked(app.run())
    assert {record.target for record in filled.evaluations(run.id)} == {"base", "tuned"}
    assert "McNemar p" in words(checked(app.run()))
