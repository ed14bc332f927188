"""Existing runs: trained for longer, saved, cloned and compared, through the real store and the real queue."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import empty_home
from tests.pipeline.test_pipeline import manifest_of, open_with
from tunixrt_core.errors import Busy, Conflict, InvalidManifest, NotFound
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.variants import Difference
from tunixrt_core.pipeline.foreground import Foreground
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run, RunState, RunStatus
from tunixrt_core.settings import Settings


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def rt(tmp_path: Path, backend: FakeBackend) -> Iterator[Pipeline]:
    with open_with(empty_home(tmp_path / "rt"), backend) as pipeline:
        yield pipeline


def finished(rt: Pipeline, train_steps: int = 5) -> Run:
    run = rt.runs.start(manifest_of(rt, train_steps))
    assert rt.queue.wait(20)
    return rt.runs.get(run.id)


def wait_for_records(folder: RunDir, kind: str = "train") -> None:
    until = time.monotonic() + 20
    while not any(record.kind == kind for record in folder.metrics()[0]):
        assert time.monotonic() < until, f"no {kind} record"
        time.sleep(0.01)


def test_a_finished_run_trains_for_longer_and_its_manifest_says_so(rt: Pipeline) -> None:
    run = finished(rt, 5)
    rt.runs.resume(run.id, train_steps=8)
    assert rt.queue.wait(20)
    state = rt.runs.state(run.id)
    assert (state.status, state.train_step, state.total_train_steps) == (RunStatus.SUCCEEDED, 8, 8)
    steps = [record.train_step for record in rt.runs.metrics(run.id)[0] if record.kind == "train"]
    assert steps == list(range(1, 9))
    on_disk = RunManifest.from_text(rt.runs.folder(run.id).manifest_file.read_text())
    assert on_disk.duration.train_steps == 8
    assert rt.runs.get(run.id).manifest == on_disk.to_dict()


def test_a_finished_run_is_not_resumed_without_more_to_do(rt: Pipeline) -> None:
    run = finished(rt, 5)
    with pytest.raises(Conflict, match="has finished all of its 5 train steps"):
        rt.runs.resume(run.id)
    with pytest.raises(Conflict, match="5 train steps are done already"):
        rt.runs.resume(run.id, train_steps=5)
    with pytest.raises(InvalidManifest, match="either epochs or train_steps"):
        rt.runs.resume(run.id, train_steps=9, epochs=2)
    assert rt.runs.get(run.id).status is RunStatus.SUCCEEDED


def test_epochs_are_counted_as_the_plan_counted_them(rt: Pipeline) -> None:
    run = finished(rt, 5)
    folder = rt.runs.folder(run.id)
    # packed: 5 train steps were 2 epochs
    folder.write_state(RunState(RunStatus.SUCCEEDED, train_step=5, total_train_steps=5, plan={"epochs": 2.0}))
    with pytest.raises(Conflict, match="5 train steps are done"):
        rt.runs.resume(run.id, epochs=2.1)
    assert rt.runs.resume(run.id, epochs=4).manifest["duration"] == {"epochs": 4.0, "train_steps": None}
    assert rt.queue.wait(20)


def test_an_extension_says_what_the_learning_rate_does_and_is_recorded(rt: Pipeline) -> None:
    run = finished(rt, 5)
    assert rt.runs.rate_change(run.id, train_steps=8, schedule="keep") is not None
    assert rt.runs.get(run.id) == run, "asking changes nothing"
    rt.runs.resume(run.id, train_steps=8, schedule="keep")
    assert rt.queue.wait(20)
    kept = rt.runs.get(run.id).manifest["schedule"]["extensions"]
    assert kept == [{"after": 5, "total": 5, "then": "keep"}]
    change = rt.runs.rate_change(run.id, train_steps=12)
    assert change is not None
    assert change.schedule == "stretch"
    assert change.before == change.choices["keep"]


def test_a_finished_run_whose_data_changed_stays_finished_as_it_was(rt: Pipeline) -> None:
    run = finished(rt, 5)
    folder, row = rt.runs.folder(run.id), rt.runs.get(run.id)
    rows = Path(row.manifest["data"]["path"])
    data, manifest, result = rows.read_bytes(), folder.manifest_file.read_bytes(), folder.result_file.read_bytes()
    rows.write_bytes(data + b"{}\n")
    rt.runs.resume(run.id, train_steps=8)
    assert rt.queue.wait(20)
    assert rt.runs.get(run.id) == row
    assert (folder.manifest_file.read_bytes(), folder.result_file.read_bytes()) == (manifest, result)
    assert "data.sha256" in rt.runs.state(run.id).refused
    rows.write_bytes(data)
    rt.runs.resume(run.id, train_steps=8)
    assert rt.queue.wait(20)
    assert (rt.runs.state(run.id).train_step, rt.runs.state(run.id).refused) == (8, "")
    assert rt.runs.get(run.id).manifest["duration"]["train_steps"] == 8


def test_a_resume_that_leaves_the_queue_changes_nothing(rt: Pipeline, backend: FakeBackend) -> None:
    run = finished(rt, 5)
    folder, row = rt.runs.folder(run.id), rt.runs.get(run.id)
    manifest, state = folder.manifest_file.read_bytes(), folder.state()
    backend.step_seconds = 0.01
    other = rt.runs.start(rt.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": 10_000}))
    assert rt.runs.resume(run.id, train_steps=8).status is RunStatus.QUEUED
    assert folder.manifest_file.read_bytes() == manifest
    rt.queue.remove(run.id)
    assert rt.runs.get(run.id) == row
    left = "The resume left the queue before it began."
    assert folder.state() == replace(state, refused=left, attempt=state.attempt + 1)
    rt.runs.stop(other.id)
    assert rt.queue.wait(20)


def test_a_resume_that_waited_when_the_server_was_killed_is_queued_again(rt: Pipeline, backend: FakeBackend) -> None:
    run = finished(rt, 5)
    folder, row = rt.runs.folder(run.id), rt.runs.get(run.id)
    backend.step_seconds = 0.01
    other = rt.runs.start(rt.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": 10_000}))
    rt.runs.resume(run.id, train_steps=8)
    waited, queued = folder.state(), folder.queued_file.read_bytes()
    rt.queue.remove(run.id)
    rt.runs.stop(other.id)
    assert rt.queue.wait(20)
    # what a killed process leaves
    folder.write_state(replace(waited, owner="999999999:1:gone"))
    folder.queued_file.write_bytes(queued)
    assert rt.runs.get(run.id) == row, "finished, until it is trained for longer"
    assert rt.queue_again() == [run.id]
    assert rt.queue.wait(20)
    assert rt.runs.state(run.id).train_step == 8
    assert rt.runs.get(run.id).manifest["duration"]["train_steps"] == 8
    assert rt.queue_again() == []


def test_a_run_of_another_process_is_not_resumed_and_its_holder_is_named(rt: Pipeline) -> None:
    run = finished(rt, 5)
    folder = rt.runs.folder(run.id)
    program = "from tunixrt_core.util.owners import this_owner; print(this_owner(), flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        state = replace(folder.state(), status=RunStatus.RUNNING, owner=holder.stdout.readline().strip())
        folder.write_state(state)
        with pytest.raises(Busy, match=rf"running in process {holder.pid} since .*`tunixrt runs stop {folder.path}"):
            rt.runs.resume(run.id, train_steps=8)
        foreground = Foreground(Settings.from_env({"TUNIXRT_HOME": str(folder.path.parents[2] / "another")}))
        with pytest.raises(Busy, match=f"running in process {holder.pid} since"):
            foreground.prepare(RunManifest.from_dict(run.manifest), folder, resume=True)
        assert folder.state() == state
    finally:
        holder.kill()
        holder.wait()


def test_a_run_that_goes_on_is_not_made_longer(rt: Pipeline, backend: FakeBackend) -> None:
    backend.step_seconds = 0.01
    run = rt.runs.start(manifest_of(rt, 10_000))
    with pytest.raises(Busy, match="it can be resumed when it is over"):
        rt.runs.resume(run.id, train_steps=20_000)
    rt.runs.stop(run.id)
    assert rt.queue.wait(20)


def test_what_the_command_trained_for_longer_is_seen_by_the_dashboard(rt: Pipeline) -> None:
    run = finished(rt, 5)
    folder = rt.runs.folder(run.id)
    longer = RunManifest.from_dict({**run.manifest, "duration": {"train_steps": 9}})
    folder.manifest_file.write_text(longer.to_yaml(), encoding="utf-8")
    folder.write_state(RunState(RunStatus.SUCCEEDED, train_step=9, total_train_steps=9, started_at=1e9, ended_at=2e9))
    assert rt.runs.get(run.id).manifest["duration"]["train_steps"] == 9


def test_a_checkpoint_is_saved_on_request_and_the_run_goes_on(rt: Pipeline, backend: FakeBackend) -> None:
    backend.step_seconds = 0.01
    run = rt.runs.start(manifest_of(rt, 10_000))
    folder = rt.runs.folder(run.id)
    wait_for_records(folder)
    rt.runs.save_checkpoint(run.id)
    wait_for_records(folder, "checkpoint")
    saved = next(record for record in folder.metrics()[0] if record.kind == "checkpoint")
    assert saved.reason == "asked"
    assert not folder.save_file.exists()
    assert rt.runs.get(run.id).status is RunStatus.RUNNING
    rt.runs.stop(run.id)
    assert rt.queue.wait(20)
    with pytest.raises(Conflict, match="while it trains"):
        rt.runs.save_checkpoint(run.id)


def test_a_clone_is_a_new_run_of_the_changed_manifest(rt: Pipeline) -> None:
    run = finished(rt, 5)
    variant = rt.manifests.clone(run.id, {"learning_rate": 1e-4, "train_steps": 6})
    assert [change.key for change in variant.changed] == ["optimizer.learning_rate", "duration.train_steps"]
    clone = rt.runs.start(variant.manifest)
    assert rt.queue.wait(20)
    assert (clone.id, rt.runs.get(clone.id).status) == ("r-0002", RunStatus.SUCCEEDED)
    assert clone.dataset == run.dataset


def test_a_clone_knows_its_parent_and_what_was_changed_whatever_becomes_of_it(rt: Pipeline) -> None:
    run = finished(rt, 5)
    assert rt.runs.parent(run) is None
    variant = rt.manifests.clone(run.id, {"learning_rate": 1e-4})
    clone = rt.runs.start(variant.manifest, parent=run.id)
    assert rt.queue.wait(20)
    rt.runs.resume(run.id, train_steps=7)
    assert rt.queue.wait(20)
    parent = rt.runs.parent(clone)
    assert parent is not None
    assert parent.run == run.id
    assert parent.changed == variant.changed
    assert json.loads(rt.runs.folder(clone.id).parent_file.read_text()) == parent.to_dict()


def test_a_clone_of_a_run_that_is_not_there_is_not_started(rt: Pipeline) -> None:
    run = finished(rt, 5)
    with pytest.raises(NotFound, match="r-0900"):
        rt.runs.start(rt.manifests.clone(run.id).manifest, parent="r-0900")
    assert len(rt.runs.page().items) == 1


def test_runs_are_compared_by_what_differs_and_what_they_came_to(rt: Pipeline) -> None:
    run = finished(rt, 5)
    clone = rt.runs.start(rt.manifests.clone(run.id, {"train_steps": 10}).manifest)
    assert rt.queue.wait(20)
    compared = rt.runs.compare([run.id, clone.id])
    assert Difference("duration.train_steps", (5, 10)) in compared.differences
    assert [summary.eval_loss for summary in compared.summaries] == [1 / 5, 1 / 10]
    with pytest.raises(NotFound, match="r-0009"):
        rt.runs.compare([run.id, "r-0009"])


def test_jobs_that_wait_are_moved_and_removed_one_by_one(rt: Pipeline, backend: FakeBackend) -> None:
    backend.step_seconds = 0.01
    first = rt.runs.start(manifest_of(rt, 10_000))
    wait_for_records(rt.runs.folder(first.id))
    others = [rt.runs.start(rt.manifests.clone(first.id, {"train_steps": 3}).manifest) for _ in range(3)]
    assert [job.id for job in rt.queue.state().waiting] == [run.id for run in others] == ["r-0002", "r-0003", "r-0004"]
    rt.queue.move("r-0004", -1)
    rt.queue.move("r-0002", -5)
    rt.queue.move("r-0003", 1)
    assert [job.id for job in rt.queue.state().waiting] == ["r-0002", "r-0004", "r-0003"]
    rt.queue.remove("r-0004")
    assert rt.runs.get("r-0004").status is RunStatus.STOPPED
    with pytest.raises(NotFound, match="It may have begun"):
        rt.queue.remove("r-0004")
    holder = rt.queue.state().holder
    assert holder is not None
    assert (holder.run, holder.kind, holder.ours) == (first.id, "train", True)
    rt.runs.stop(first.id)
    assert rt.queue.wait(20)
    assert backend.trained == ["r-0001", "r-0002", "r-0003"]
    assert rt.queue.state().holder is None


def test_annotations_are_changed_all_at_once_and_stay_through_a_resume(rt: Pipeline) -> None:
    run = finished(rt)
    rt.runs.tag(run.id, ["first"])
    changed = rt.runs.annotate(run.id, add_tags=["second"], remove_tags=["first"], note="Kept.", archived=True)
    assert (changed.tags, changed.note, changed.archived) == (("second",), "Kept.", True)
    rt.runs.archive(run.id, archived=False)
    rt.runs.resume(run.id, train_steps=8)
    assert rt.queue.wait(20)
    again = rt.runs.get(run.id)
    assert (again.tags, again.note, again.archived) == (("second",), "Kept.", False)


def test_the_table_follows_a_run_from_its_start_to_its_end(rt: Pipeline, backend: FakeBackend) -> None:
    backend.step_seconds = 0.02
    run = rt.runs.start(manifest_of(rt, 500))
    wait_for_records(rt.runs.folder(run.id))
    live = rt.runs.table()
    assert live.rows[0][2] in ("loading", "compiling", "running")
    rt.runs.stop(run.id)
    assert rt.queue.wait(20)
    (row,) = rt.runs.table(live.version).rows
    assert row[:3] == [run.id, run.name, "stopped"]
