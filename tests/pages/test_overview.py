"""Overview: an empty home offers three ways to begin, a full one tells what is there and what to do next."""

from __future__ import annotations

import pytest

from tests.pages.conftest import evaluate, keys, make_run, open_page, press, words
from tunixrt_core.pipeline import Pipeline
from tunixrt_core.runs import RunStatus
from tunixrt_core.tunix_backend.availability import is_tunix_available


def test_an_empty_home_offers_three_ways_to_begin(rt: Pipeline) -> None:
    app = open_page("overview.py")
    assert {"load-examples", "begin-upload", "begin-path"} <= keys(app)


def test_one_click_loads_the_examples_and_shows_the_report(rt: Pipeline) -> None:
    app = press(open_page("overview.py"), "load-examples")
    assert rt.count_traces() == 600
    assert app.title[0].value == "Import traces"
    assert "600 read = 600 inserted + 0 duplicate + 0 rejected" in words(app)


def test_counts_and_the_next_step_follow_what_is_there(filled: Pipeline) -> None:
    app = open_page("overview.py")
    assert [metric.value for metric in app.metric] == ["60", "1", "0", "–"]
    step = press(app, "do-next-step").title[0].value
    assert step == ("New run" if is_tunix_available() else "Export and manifest")


def test_failed_and_interrupted_runs_need_attention(filled: Pipeline) -> None:
    make_run(filled, RunStatus.FAILED, message="The loss became NaN at train step 12.")
    make_run(filled, RunStatus.INTERRUPTED)
    make_run(filled, RunStatus.SUCCEEDED)
    text = words(open_page("overview.py"))
    assert "The loss became NaN at train step 12." in text
    assert "Interrupted" in text
    assert "2 runs" in text


def test_recent_runs_show_state_progress_and_scores(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED, train_steps=40)
    evaluate(filled, run)
    app = open_page("overview.py")
    row = app.dataframe[0].value.iloc[0]
    assert (row["id"], list(row["state"]), row["progress"]) == ("r-0001", ["Finished"], 100)
    assert row["exact_match"] == 100
    assert app.metric[3].value == "100.0%"


@pytest.mark.tunix
def test_a_finished_run_leads_to_its_evaluation(filled: Pipeline) -> None:
    make_run(filled, RunStatus.SUCCEEDED)
    app = press(open_page("overview.py"), "do-next-step")
    assert app.title[0].value == "Evaluations"
    assert app.query_params["run"] == "r-0001"
