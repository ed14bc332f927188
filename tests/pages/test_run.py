"""A run's page: words for what it does, numbers, curves, log, manifest, and the buttons that its state allows."""

from __future__ import annotations

import pytest

from tests.pages.conftest import checked, keys, make_run, open_page, press, words
from tunixrt_core.pipeline import Pipeline
from tunixrt_core.runs import RunStatus

pytestmark = pytest.mark.tunix

STOP, RESUME, EVALUATE = {"stop-run"}, {"resume-run"}, {"evaluate-run"}


def test_without_an_id_all_runs_are_listed(filled: Pipeline) -> None:
    assert "No runs yet" in words(open_page("run.py"))
    make_run(filled, RunStatus.STOPPED)
    make_run(filled, RunStatus.SUCCEEDED)
    assert list(open_page("run.py").dataframe[0].value["id"]) == ["r-0002", "r-0001"]


@pytest.mark.parametrize(
    ("status", "line", "buttons"),
    [
        (RunStatus.QUEUED, "Waiting for the device", STOP),
        (RunStatus.LOADING, "Loading the model and the rows", STOP),
        (RunStatus.COMPILING, "Compiling the first train step", STOP),
        (RunStatus.RUNNING, "Training · train step", STOP),
        (RunStatus.STOPPING, "Stopping after this train step", STOP),
        (RunStatus.SUCCEEDED, "Finished", EVALUATE),
        (RunStatus.STOPPED, "Stopped", RESUME | EVALUATE),
        (RunStatus.INTERRUPTED, "Interrupted", RESUME | EVALUATE),
        (RunStatus.FAILED, "Failed", RESUME),
    ],
)
def test_each_state_has_its_words_and_its_buttons(
    filled: Pipeline, status: RunStatus, line: str, buttons: set[str]
) -> None:
    run = make_run(filled, status)
    app = open_page("run.py", run=run.id)
    assert line in str(app.progress[0].text)
    assert keys(app) & (STOP | RESUME | EVALUATE) == buttons


def test_numbers_and_curves_come_from_the_run_folder(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.STOPPED)
    app = open_page("run.py", run=run.id)
    assert {m.label: m.value for m in app.metric} == {
        "Train loss": "0.149",
        "Eval loss": "0.400",
        "Learning rate": "2e-3",
        "Tokens/s": "9,000",
        "Gradient norm": "0.50",
    }
    assert len(app.get("echarts_chart")) == 4
    assert "train step 30 of 40 · 75%" in str(app.progress[0].text)


def test_a_failed_run_says_why_at_the_top(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.FAILED, message="The loss became NaN at train step 30.")
    assert open_page("run.py", run=run.id).error[0].value == "The loss became NaN at train step 30."


def test_rows_that_were_too_long_are_not_left_out_in_silence(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.RUNNING, dropped=7)
    assert open_page("run.py", run=run.id).warning[0].value.startswith("7 of 60 rows are longer than")


def test_log_and_manifest_are_a_tab_away(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    assert "Reads the rows." in words(open_page("run.py", run=run.id, tab="Log"))
    text = words(open_page("run.py", run=run.id, tab="Config"))
    assert f"tunixrt export-model {run.id}" in text
    assert "manifest_version" in text
    assert "Dropped rows" in text


def test_a_run_that_is_not_there_is_a_sentence(filled: Pipeline) -> None:
    app = open_page("run.py", run="r-9999")
    assert "There is no run" in app.error[0].value


def test_a_real_run_is_followed_to_its_end_and_resumed_after_a_stop(filled: Pipeline) -> None:
    run = filled.start_run(filled.build_manifest("examples", model_id="tiny", hyperparams={"train_steps": 30}))
    assert filled.wait(30)
    app = open_page("run.py", run=run.id)
    assert "train step 30 of 30 · 100%" in str(app.progress[0].text)

    stopped = make_run(filled, RunStatus.STOPPED)
    app = press(open_page("run.py", run=stopped.id), "resume-run")
    assert filled.wait(30)
    checked(app.run())
    assert filled.run(stopped.id).status is RunStatus.SUCCEEDED
