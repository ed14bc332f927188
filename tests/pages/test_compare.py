"""Runs side by side: curves, what differs, results, and an address that holds them."""

from __future__ import annotations

import pytest

from tests.pages.conftest import checked, make_run, open_page, words
from tunixrt_core.pipeline import Pipeline
from tunixrt_core.runs import RunStatus

pytestmark = pytest.mark.tunix


def test_without_two_runs_there_is_nothing_to_compare(filled: Pipeline) -> None:
    make_run(filled, RunStatus.SUCCEEDED)
    assert "Nothing to compare yet" in words(open_page("compare.py"))


def test_runs_named_in_the_address_stand_side_by_side(filled: Pipeline) -> None:
    first = make_run(filled, RunStatus.SUCCEEDED)
    clone = filled.start_run(filled.clone_manifest(first.id, {"learning_rate": 1e-4, "train_steps": 5}).manifest)
    assert filled.wait(30)
    app = open_page("compare.py", runs=f"{first.id},{clone.id}")
    assert app.multiselect(key="compared").value == ["r-0001", "r-0002"]
    assert len(app.get("plotly_chart")) == 2
    text = words(app)
    assert "optimizer.learning_rate" in text
    assert "<strong>0.0001</strong>" in text
    assert "output_dir" not in text
    assert "Best eval loss" in text


@pytest.mark.parametrize("along", ["Tokens", "Time"])
def test_curves_run_along_tokens_or_time_too(filled: Pipeline, along: str) -> None:
    for status in (RunStatus.SUCCEEDED, RunStatus.RUNNING):
        make_run(filled, status)
    app = open_page("compare.py", runs="r-0001,r-0002", along=along)
    assert len(app.get("plotly_chart")) == 2


def test_fewer_than_two_chosen_ask_for_more(filled: Pipeline) -> None:
    for _ in range(2):
        make_run(filled, RunStatus.SUCCEEDED)
    app = open_page("compare.py")
    assert "Choose two runs or more." in words(app)
    app.multiselect(key="compared").set_value(["r-0002", "r-0001"])
    app = checked(app.run())
    assert len(app.get("plotly_chart")) == 2
    assert app.query_params["runs"] in ("r-0002,r-0001", ["r-0002,r-0001"])


def test_a_run_in_the_address_that_is_not_there_is_a_sentence(filled: Pipeline) -> None:
    for _ in range(2):
        make_run(filled, RunStatus.SUCCEEDED)
    app = open_page("compare.py", runs="r-0001,r-9999")
    assert "There is no run" in app.error[0].value
