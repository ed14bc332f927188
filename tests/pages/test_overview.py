"""Overview: an empty home offers three ways to begin, a full one tells what is there and what to do next."""

from __future__ import annotations

import pytest

from app.overview.attention import first_few
from tests.helpers.component import parts
from tests.pages.conftest import evaluate, keys, make_run, open_page, press, words
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.evaluation.folder import EvalDir
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.tunix_backend.availability import is_tunix_available
from tunixrt_core.util.files.atomic import write_json


def test_an_empty_home_offers_three_ways_to_begin(rt: Pipeline) -> None:
    app = open_page("overview.py")
    assert {"load-examples", "begin-upload", "begin-path"} <= keys(app)


def test_one_click_loads_the_examples_and_leads_to_a_dataset_of_them(rt: Pipeline) -> None:
    app = press(open_page("overview.py"), "load-examples")
    assert rt.traces.count() == 600
    assert app.title[0].value == "New dataset version"
    assert "build-dataset" in keys(app)
    assert [toast.value for toast in app.toast] == ["600 example traces stored. Next: a dataset of them."]


def test_counts_and_the_next_step_follow_what_is_there(filled: Pipeline) -> None:
    app = open_page("overview.py")
    assert [metric.value for metric in app.metric] == ["60", "1", "0", "–"]
    step = press(app, "do-next-step").title[0].value
    assert step == ("New run" if is_tunix_available() else "Export and manifest")


def test_failed_and_interrupted_runs_need_attention(filled: Pipeline) -> None:
    make_run(filled, RunStatus.FAILED, message="The loss became NaN at train step 12.")
    make_run(filled, RunStatus.INTERRUPTED)
    make_run(filled, RunStatus.SUCCEEDED)
    app = open_page("overview.py")
    text = words(app)
    assert "The loss became NaN at train step 12." in text
    assert "Interrupted" in text
    actions = {"do-failed-view-run-r-0001", "do-interrupted-resume-r-0002"}
    assert actions & keys(app) == (actions if is_tunix_available() else set())


def test_every_kind_of_trouble_has_its_badge_and_its_button(filled: Pipeline) -> None:
    filled.datasets.build(DatasetSpec("gated", gates={"too_long": {"action": "warn", "most": 1}}))
    make_run(filled, RunStatus.SUCCEEDED, alert_at=20)
    make_run(filled, RunStatus.FAILED, message="The data file is gone.")
    evaluate(filled, make_run(filled, RunStatus.SUCCEEDED))
    outdate(filled)
    app = open_page("overview.py")
    text = words(app)
    for badge in ("Failed", "Alerts", "Warning", "Stale"):
        assert f">{badge}</span>" in text
    assert "raised alerts: loss spike." in text
    assert "Score again" in {button.label for button in app.button}
    assert "Review 60 rows" in {button.label for button in app.button}


def outdate(rt: Pipeline) -> None:
    """Let the tuned evaluation have been scored by an older version of a scorer."""
    record = next(r for r in rt.evaluations.records() if r.target == "tuned")
    summary = EvalDir.of(record).summary()
    assert summary is not None
    write_json(EvalDir.of(record).summary_file, {**summary, "scorers": {**summary["scorers"], "exact_match": 0}})
    rt.registry.evals.mirror(record.id, EvalDir.of(record))


def test_one_click_scores_again(filled: Pipeline) -> None:
    evaluate(filled, make_run(filled, RunStatus.SUCCEEDED))
    outdate(filled)
    (item,) = filled.home.attention()
    press(open_page("overview.py"), f"do-stale-score-again-{item.target}")
    assert filled.queue.wait(30)
    assert filled.home.attention() == []
    assert "Stale" not in words(open_page("overview.py"))


def test_one_click_leads_to_the_rows_of_the_gate(filled: Pipeline) -> None:
    filled.datasets.build(DatasetSpec("gated", gates={"too_long": {"action": "warn", "most": 1}}))
    app = press(open_page("overview.py"), "do-warning-review-rows-gated:1")
    assert app.title[0].value == "gated"
    assert (app.query_params["dataset"], app.query_params["gate"]) == ("gated:1", "too_long")


@pytest.mark.tunix
def test_one_click_resumes_what_was_interrupted(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.INTERRUPTED)
    app = press(open_page("overview.py"), f"do-interrupted-resume-{run.id}")
    assert app.query_params["run"] == run.id
    assert filled.queue.wait(30)
    assert filled.runs.get(run.id).status is RunStatus.SUCCEEDED


def test_what_was_seen_does_not_come_back(filled: Pipeline) -> None:
    make_run(filled, RunStatus.FAILED, message="The data file is gone.")
    app = press(open_page("overview.py"), "seen-failed-view-run-r-0001")
    assert "The data file is gone." not in words(app)
    assert "nothing needs attention" in words(app)
    assert "The data file is gone." not in words(open_page("overview.py"))


def test_many_troubles_are_folded_and_hide_no_kind(filled: Pipeline) -> None:
    for number in range(8):
        make_run(filled, RunStatus.FAILED, message=f"Reason {number}.")
    make_run(filled, RunStatus.INTERRUPTED)
    app = open_page("overview.py")
    assert app.expander[0].label == "5 more"
    assert "seen-all" not in keys(app)
    app.session_state["more-attention"] = True
    app.run()
    shown = first_few(filled.home.attention())
    assert [item.kind for item in shown] == ["failed", "failed", "failed", "interrupted"]
    assert filled.home.attention() != []
    assert "nothing needs attention" in words(press(app, "seen-all"))


def test_a_run_under_way_is_told_with_its_device(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.RUNNING)
    held = Accelerator(filled.settings.accelerator_lock).take(run.id, "train")
    assert held is not None
    filled.jobs._accelerator = Accelerator(filled.settings.accelerator_lock)
    app = open_page("overview.py")
    held.release()
    text = words(app)
    assert f"Trains {run.name} ({run.id}), about " in text.replace("\\", "")
    assert f"Watch {run.id}" in {button.label for button in app.button} or not is_tunix_available()


def test_the_best_score_is_told_with_its_points_over_the_base(filled: Pipeline) -> None:
    evaluate(filled, make_run(filled, RunStatus.SUCCEEDED))
    best = open_page("overview.py").metric[3]
    assert (best.label, best.value, best.delta) == ("Best exact match", "100.0%", "+100.0 over base")


def test_counts_tell_what_came_this_week(filled: Pipeline) -> None:
    app = open_page("overview.py")
    assert [metric.delta for metric in app.metric] == ["60", "1", "0", "no evaluation yet"]


def test_recent_runs_lead_to_their_page_where_there_is_one(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    (listed,) = parts(open_page("overview.py"), "listing")
    assert (listed["what"], listed["version"]) == ("recent", f"{run.id}:succeeded")
    assert listed["page"] == ("/run?run=" if is_tunix_available() else None)


@pytest.mark.tunix
def test_a_finished_run_leads_to_its_evaluation(filled: Pipeline) -> None:
    make_run(filled, RunStatus.SUCCEEDED)
    app = press(open_page("overview.py"), "do-next-step")
    assert app.title[0].value == "Evaluations"
    assert app.query_params["run"] == "r-0001"
