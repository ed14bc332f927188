"""A run's page: words for what it does, numbers, curves, log, manifest, and the buttons that its state allows."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from streamlit.testing.v1 import AppTest

from app.runs.figures.series import Wanted, series_of
from app.runs.live import LIVE_LOG_BYTES
from tests.helpers.component import readings
from tests.helpers.fakes import FakeBackend
from tests.jobs.waiting.test_one_machine import server_of
from tests.pages.conftest import checked, fill, keys, make_run, open_page, press, shown, words
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.jobs.waiting.one_machine import FileJobs, WorkerLock
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.metrics import CompileMetric, EvalMetric, to_line
from tunixrt_core.runs.record import Run, RunStatus

pytestmark = pytest.mark.tunix

STOP, SAVE, RESUME, LONGER, EVALUATE = {"stop-run"}, {"save-run"}, {"resume-run"}, {"train-longer"}, {"evaluate-run"}
ALWAYS = {"clone-start"}
PARTS = ("format", "step 1", "step 2", "answer")


def part(app: AppTest, kind: str) -> dict[str, Any]:
    """What the component is told for its part of the page."""
    told = [json.loads(each.proto.json) for each in app.get("bidi_component")]
    return next(each for each in told if each["kind"] == kind)


def told(rt: Pipeline, run: Run) -> dict[str, Any]:
    """What the route answers for the charts of a run."""
    return series_of(rt.runs.get(run.id), "", Wanted(("loss", "eval_loss", "parts"), tiles=True))


def test_what_waits_at_another_server_is_removed_here_but_ordered_there(tmp_path: Path) -> None:
    worker = WorkerLock(tmp_path / "home" / "worker.lock", FileJobs(tmp_path / "home" / "queue.json"))
    assert worker.take()
    with server_of(tmp_path / "home", FakeBackend()) as viewer, shown(viewer):
        fill(viewer)
        for _ in range(3):
            viewer.runs.start(viewer.manifests.build("examples", model_id="tiny"))
        app = open_page("run.py")
        for key in ("sooner-r-0002", "later-r-0002"):
            button = app.button(key=key)
            assert (button.disabled, button.help) == (
                True,
                "It waits at another server of this home, which alone orders it.",
            )
        app = press(app, "remove-r-0002")
        assert [job.id for job in viewer.queue.state().waiting] == ["r-0001", "r-0003"]


def test_without_an_id_all_runs_are_listed(filled: Pipeline) -> None:
    assert "No runs yet" in words(open_page("run.py"))
    make_run(filled, RunStatus.STOPPED)
    make_run(filled, RunStatus.SUCCEEDED)
    known = {"kind": "runs", "url": "/api/runs", "page": "/run?run=", "writes": True}
    assert part(open_page("run.py"), "runs") == known


@pytest.mark.parametrize(
    ("status", "line", "buttons"),
    [
        (RunStatus.QUEUED, "Waiting for the device", STOP),
        (RunStatus.LOADING, "Loading the model and the rows", STOP),
        (RunStatus.COMPILING, "Compiling the train step", STOP | SAVE),
        (RunStatus.RUNNING, "Training · train step", STOP | SAVE),
        (RunStatus.STOPPING, "Stopping after this train step", STOP),
        (RunStatus.SUCCEEDED, "Finished", LONGER | EVALUATE),
        (RunStatus.STOPPED, "Stopped", RESUME | LONGER | EVALUATE),
        (RunStatus.INTERRUPTED, "Interrupted", RESUME | LONGER | EVALUATE),
        (RunStatus.FAILED, "Failed", RESUME),
    ],
)
def test_each_state_has_its_words_and_its_buttons(
    filled: Pipeline, status: RunStatus, line: str, buttons: set[str]
) -> None:
    run = make_run(filled, status)
    app = open_page("run.py", run=run.id)
    assert line in told(filled, run)["line"]
    shown = part(app, "charts")
    assert (shown["run"], shown["status"], shown["panels"]) == (run.id, status.value, True)
    assert keys(app) & (STOP | SAVE | RESUME | LONGER | EVALUATE | ALWAYS) == buttons | ALWAYS


def test_a_broken_run_is_one_line_with_its_file_and_is_moved_aside_by_a_click(filled: Pipeline) -> None:
    make_run(filled, RunStatus.SUCCEEDED)
    broken = make_run(filled, RunStatus.STOPPED)
    filled.runs.folder(broken.id).state_file.write_bytes(b"")
    assert [row[2] for row in filled.runs.table().rows] == ["broken", "succeeded"]
    app = open_page("run.py", run=broken.id)
    assert "state.json" in words(app)
    assert "is empty" in words(app)
    assert "state.json: is empty" in words(open_page("overview.py"))
    for page in ("evaluations.py", "playground.py", "new_run.py", "tunix.py", "system.py"):
        open_page(page)
    open_page("preflight.py", run=broken.id)
    press(app, "aside-run")
    assert [run.id for run in filled.runs.page().items] == ["r-0001"]


def test_numbers_and_curves_come_from_the_run_folder(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.STOPPED)
    app = open_page("run.py", run=run.id)
    labels = [label for label, _ in part(app, "charts")["tiles"]]
    answer = told(filled, run)
    assert {label: tile[0] for label, tile in zip(labels, answer["tiles"], strict=True)} == {
        "Train loss": "0.149",
        "Eval loss": "0.400",
        "Perplexity": "1.50",
        "Best eval": "0.400",
        "Learning rate": "2e-3",
        "Gradient norm": "0.50",
        "Tokens/s": "9,000",
        "Input wait": "10.0%",
        "Padding": "12.5%",
        "Memory": "11.2 GB",
    }
    assert answer["curves"].keys() == {"loss", "eval_loss", *(f"parts.{p}" for p in PARTS)}
    assert "train step 30 of 40 · 75%" in answer["line"]


@pytest.mark.parametrize(("tab", "rounds"), [("Samples", 0), ("Log", None), ("Config", None)])
def test_under_the_other_tabs_the_progress_stays_without_the_charts(
    filled: Pipeline, tab: str, rounds: int | None
) -> None:
    run = make_run(filled, RunStatus.RUNNING)
    shown = part(open_page("run.py", run=run.id, tab=tab), "charts")
    assert (shown["panels"], shown["samples"], shown["total"]) == (False, rounds, 40)


def test_what_comes_before_the_first_train_step_is_measured_against_the_last_run_of_the_same_shapes(
    filled: Pipeline,
) -> None:
    first = make_run(filled, RunStatus.SUCCEEDED)
    run = make_run(filled, RunStatus.COMPILING)
    alone = told(filled, run)
    assert "this can take a minute or more" in alone["line"]
    assert [(words, state) for words, state, _ in alone["beginning"]] == [
        ("Load the model and the rows", "done"),
        ("Compile the train step", "now"),
    ]
    file = filled.runs.folder(first.id).metrics_file
    evaluated = EvalMetric(train_step=0, loss=1.0, seconds=9.0, time=20.0)
    compiled = CompileMetric(train_step=0, length=512, seconds=33.0, time=55.0)
    file.write_bytes(to_line(evaluated) + to_line(compiled) + file.read_bytes())
    next_run = make_run(filled, RunStatus.COMPILING)
    folder = filled.runs.folder(next_run.id)
    now = time.time()
    folder.write_state(replace(folder.state(), started_at=now - 31, phase_at=now - 11))
    folder.metrics_file.write_bytes(to_line(evaluated))
    answer = told(filled, next_run)
    assert answer["line"] == "Compile the train step: 11 s so far, 33 s last time"
    assert answer["beginning"] == [
        ["Load the model and the rows", "done", "11 s, 11 s last time"],
        ["Evaluate before training", "done", "9 s, 9 s last time"],
        ["Compile the train step", "now", "11 s so far, 33 s last time"],
    ]
    assert 0.55 < answer["share"] < 0.62
    assert told(filled, first)["beginning"] is None


def test_a_clone_names_its_parent_and_what_was_changed(filled: Pipeline) -> None:
    first = make_run(filled, RunStatus.SUCCEEDED)
    assert "Clone of" not in words(open_page("run.py", run=first.id))
    variant = filled.manifests.clone(first.id, {"learning_rate": 1e-4, "train_steps": 3})
    clone = filled.runs.start(variant.manifest, parent=first.id)
    assert filled.queue.wait(30)
    text = words(open_page("run.py", run=clone.id))
    assert f"Clone of [{first.id}](run?run={first.id}): optimizer.learning\\_rate 3e-3 → 1e-4" in text
    app = open_page("run.py", run=clone.id, tab="Config")
    assert f"Changed from {first.id}" in words(app)
    assert "compare-parent" in keys(app)


def test_the_whole_log_can_be_downloaded_and_a_live_page_shows_its_end(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.RUNNING)
    with filled.runs.folder(run.id).log_file.open("a") as log:
        log.writelines(f"line {i} of a long log\n" for i in range(1000))
    app = open_page("run.py", run=run.id, tab="Log")
    assert app.code[0].value.endswith("line 999 of a long log")
    assert len(app.code[0].value) <= LIVE_LOG_BYTES
    assert [button.label for button in app.get("download_button")] == ["Download whole log"]


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
    assert "manifest_version" in text
    assert "Dropped rows" in text


def test_a_run_that_is_not_there_is_a_sentence(filled: Pipeline) -> None:
    app = open_page("run.py", run="r-9999")
    assert "There is no run" in app.error[0].value


def test_a_real_run_is_followed_to_its_end_and_resumed_after_a_stop(filled: Pipeline) -> None:
    run = filled.runs.start(filled.manifests.build("examples", model_id="tiny", hyperparams={"train_steps": 30}))
    assert filled.queue.wait(30)
    assert "train step 30 of 30 · 100%" in told(filled, run)["line"]

    stopped = make_run(filled, RunStatus.STOPPED)
    app = press(open_page("run.py", run=stopped.id), "resume-run")
    assert filled.queue.wait(30)
    checked(app.run())
    assert filled.runs.get(stopped.id).status is RunStatus.SUCCEEDED


def test_an_alert_is_told_with_its_evidence_and_mended_by_a_clone(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.STOPPED, alert_at=20)
    app = open_page("run.py", run=run.id)
    assert app.warning[0].value == "**Loss spike**: loss 8.31 at train step 20, median of the last 50 is 2.10."
    assert "3e-3 → 1e-4" in words(app)
    press(app, "fix-loss_spike-start")
    assert filled.queue.wait(30)
    clone = filled.runs.get("r-0002")
    assert clone.manifest["optimizer"]["learning_rate"] == 1e-4
    assert clone.status is RunStatus.SUCCEEDED


def test_a_run_is_cloned_with_what_is_typed_and_a_mistake_is_named(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    app = open_page("run.py", run=run.id)
    app.text_area(key="clone-changes").set_value("learning_rat=1")
    checked(app.run())
    assert "is not a hyperparameter" in app.error[0].value
    app.text_area(key="clone-changes").set_value("train_steps = 3\nseed=7")
    app = press(checked(app.run()), "clone-start")
    assert filled.queue.wait(30)
    assert filled.runs.get("r-0002").manifest["seed"] == 7
    assert filled.runs.state("r-0002").train_step == 3


def test_a_finished_run_is_trained_for_longer(filled: Pipeline) -> None:
    run = filled.runs.start(filled.manifests.build("examples", model_id="tiny", hyperparams={"train_steps": 30}))
    assert filled.queue.wait(30)
    app = open_page("run.py", run=run.id)
    assert app.number_input(key="longer-steps").value == 45
    app.number_input(key="longer-steps").set_value(50)
    app.radio(key="longer-schedule").set_value("keep")
    press(checked(app.run()), "train-longer")
    assert filled.queue.wait(30)
    assert filled.runs.state(run.id).train_step == 50
    kept = filled.runs.get(run.id).manifest["schedule"]["extensions"]
    assert kept == [{"after": 30, "total": 30, "then": "keep"}]


def test_a_resume_that_was_refused_says_why_on_the_page_of_the_finished_run(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    folder = filled.runs.folder(run.id)
    folder.write_state(replace(folder.state(), refused="The rows changed."))
    app = open_page("run.py", run=run.id)
    assert "The last resume changed nothing: The rows changed." in [warning.value for warning in app.warning]


def test_a_checkpoint_is_asked_for_from_the_page(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.RUNNING)
    press(open_page("run.py", run=run.id), "save-run")
    assert filled.runs.folder(run.id).save_file.exists()


def test_the_queue_shows_another_process_that_holds_the_accelerator(filled: Pipeline) -> None:
    make_run(filled, RunStatus.SUCCEEDED)
    assert "Queue" not in words(open_page("run.py"))
    filled.jobs._accelerator = Accelerator(filled.settings.accelerator_lock)
    with Accelerator(filled.settings.accelerator_lock).hold("r-0900", "export", wait=False):
        text = words(open_page("run.py"))
    assert re.search(r"\*\*r-0900\*\* has been exported for \d+ s", text)


def test_jobs_that_wait_are_moved_and_removed(filled: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filled.jobs.backend, "step_seconds", 0.02)
    runs = [
        filled.runs.start(filled.manifests.build("examples", model_id="tiny", hyperparams={"train_steps": 5000}))
        for _ in range(3)
    ]
    until = time.monotonic() + 10
    while len(filled.queue.state().waiting) > 2:
        assert time.monotonic() < until
        time.sleep(0.01)
    app = press(open_page("run.py"), "sooner-r-0003")
    assert [job.id for job in filled.queue.state().waiting] == ["r-0003", "r-0002"]
    press(app, "remove-r-0003")
    assert filled.runs.get("r-0003").status is RunStatus.STOPPED
    for run in runs[:2]:
        filled.runs.stop(run.id)
    assert filled.queue.wait(20)


def test_a_finished_run_is_exported_from_its_page_with_its_proof(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    folder = filled.runs.folder(run.id)
    folder.checkpoints.mkdir()
    (folder.checkpoints / "last").write_text("30")
    app = open_page("run.py", run=run.id, tab="Export")
    assert f"tunixrt export-model {run.id}" in words(app)
    press(app, "start-export-merged")
    assert filled.queue.wait(20)
    text = words(open_page("run.py", run=run.id, tab="Export"))
    assert "same next token 100.0%" in text
    assert f"/api/runs/{run.id}/exports/merged/README.md" in text


def test_a_run_that_goes_on_offers_no_export(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.RUNNING)
    app = open_page("run.py", run=run.id, tab="Export")
    assert "start-export-merged" not in keys(app)
    assert "when the run is over" in words(app)


def test_the_answers_to_the_fixed_prompts_stand_beside_those_of_the_evaluation_before(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    scores = {"exact_match": 1.0, "format_valid": 1.0, "repetition": 0.0}
    said = {0: "three turns", 30: "three <b>more</b> turns"}
    with filled.runs.folder(run.id).samples_file.open("ab") as handle:
        for step, output in said.items():
            answer = {"train_step": step, "id": "ab" * 32, "prompt": "A dial?", "reference": "3", "output": output}
            handle.write(
                orjson.dumps(answer | {"answer": "3", "scores": scores, "tokens": 5, "hit_limit": False}) + b"\n"
            )
    app = open_page("run.py", run=run.id, tab="Samples")
    text = words(app)
    assert readings(app)[0]["output"] == said[30]
    assert "at train step 30: format valid 1 of 1, exact match 1 of 1" in text
    assert re.search(r"<ins>\s?&lt;b&gt;more&lt;/b&gt;\s?</ins>", text), "what is new is marked, and shown as text"


def test_the_newest_answers_are_followed_until_others_are_chosen(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.RUNNING)

    def answer(step: int) -> None:
        scores = {"exact_match": 1.0, "format_valid": 1.0, "repetition": 0.0}
        said = {"train_step": step, "id": "ab" * 32, "prompt": "?", "reference": "3", "output": "3", "answer": "3"}
        with filled.runs.folder(run.id).samples_file.open("ab") as file:
            file.write(orjson.dumps(said | {"scores": scores, "tokens": 5, "hit_limit": False}) + b"\n")

    answer(10)
    answer(20)
    app = open_page("run.py", run=run.id, tab="Samples")
    answer(30)
    assert "at train step 30" in words(checked(app.run()))
    app.select_slider(key="sample-step").set_value(10)
    assert "at train step 10" in words(checked(app.run()))
    answer(40)
    assert "at train step 10" in words(checked(app.run()))


def test_a_run_without_answers_says_what_would_stand_there(filled: Pipeline) -> None:
    run = make_run(filled, RunStatus.SUCCEEDED)
    assert "answers a few fixed prompts" in words(open_page("run.py", run=run.id, tab="Samples"))
