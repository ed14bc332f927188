"""Runs side by side: curves, what differs, results, and an address that holds them."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import checked, evaluate, make_run, open_page, words
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import RunStatus

pytestmark = pytest.mark.tunix


def test_without_two_runs_there_is_nothing_to_compare(filled: Pipeline) -> None:
    make_run(filled, RunStatus.SUCCEEDED)
    assert "Nothing to compare yet" in words(open_page("compare.py"))


def test_runs_named_in_the_address_stand_side_by_side(filled: Pipeline) -> None:
    first = make_run(filled, RunStatus.SUCCEEDED)
    clone = filled.runs.start(filled.manifests.clone(first.id, {"learning_rate": 1e-4, "train_steps": 5}).manifest)
    assert filled.queue.wait(30)
    app = open_page("compare.py", runs=f"{first.id},{clone.id}")
    assert app.multiselect(key="compared").value == ["r-0001", "r-0002"]
    assert len(app.get("plotly_chart")) == 2
    text = words(app)
    assert "optimizer.learning_rate" in text
    assert "<strong>1e-4</strong>" in text
    assert "output_dir" not in text
    assert "2 of " in text
    assert "settings differ" in text
    assert "batch.size" not in text
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


def compared(rt: Pipeline, **query: str) -> AppTest:
    first = make_run(rt, RunStatus.SUCCEEDED)
    clone = rt.runs.start(rt.manifests.clone(first.id, {"learning_rate": 1e-4}).manifest)
    assert rt.queue.wait(30)
    evaluate(rt, clone)
    return open_page("compare.py", runs=f"{first.id},{clone.id}", **query)


def test_all_settings_stand_side_by_side_where_they_are_asked_for(filled: Pipeline) -> None:
    app = compared(filled, differences="false")
    assert "batch.size" in words(app)
    assert "1 of " in words(app)


def test_exact_match_stands_with_its_interval_and_its_rows(filled: Pipeline) -> None:
    rows = filled.datasets.get("examples").eval_rows
    assert f"n = {rows})" in words(compared(filled))


def test_the_charts_say_in_words_who_ends_lowest(filled: Pipeline) -> None:
    charts = compared(filled).get("plotly_chart")
    assert "ends lowest, at" in charts[0].proto.alt
    assert charts[0].proto.alt.startswith("Train loss along train step:")


def test_the_link_holds_what_is_shown(filled: Pipeline) -> None:
    app = compared(filled, along="Time", log="true")
    link = next(str(code.value) for code in app.code if "runs=" in str(code.value))
    assert link.endswith("?runs=r-0001,r-0002&along=Time&log=true")


def test_a_run_whose_folder_is_gone_is_a_sentence(filled: Pipeline) -> None:
    runs = [make_run(filled, RunStatus.SUCCEEDED) for _ in range(2)]
    Path(runs[1].directory).rename(filled.settings.home / "elsewhere")
    app = open_page("compare.py", runs="r-0001,r-0002")
    assert "There is no run folder" in app.error[0].value
