"""The recorder writes what happened, once, and nothing that a resume repeats twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.makers import make_manifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import CheckpointMetric, Known, SampleAnswer, SamplesMetric, TrainMetric, TrainPlan
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.training.recording.alerts import Watch
from tunixrt_core.training.recording.recorder import RunRecorder


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path)


@pytest.fixture
def seen() -> list[RunState]:
    return []


@pytest.fixture
def recorder(folder: RunDir, seen: list[RunState]) -> Iterator[RunRecorder]:
    made = RunRecorder(folder, on_status=seen.append, clock=Clock())
    yield made
    made.close()


def test_phases_move_the_status_and_tell_of_each_move_once(recorder: RunRecorder, seen: list[RunState]) -> None:
    for phase in ("loading", "compiling", "training", "evaluating", "training", "saving"):
        recorder.phase(phase)
    assert [state.status for state in seen] == [RunStatus.LOADING, RunStatus.COMPILING, RunStatus.RUNNING]


def test_a_recompile_in_the_middle_changes_the_phase_not_the_status(recorder: RunRecorder, folder: RunDir) -> None:
    for phase in ("loading", "compiling", "training", "compiling"):
        recorder.phase(phase)
    assert (folder.state().status, folder.state().phase) == (RunStatus.RUNNING, "compiling")


def test_a_stop_is_not_undone_by_a_phase_that_begins_after_it(recorder: RunRecorder, folder: RunDir) -> None:
    recorder.phase("loading")
    recorder.stopping()
    recorder.phase("training")
    assert folder.state().status is RunStatus.STOPPING
    recorder.finish(RunStatus.STOPPED, train_step=4)
    assert (folder.state().status, folder.state().train_step) == (RunStatus.STOPPED, 4)


def test_records_are_readable_as_soon_as_they_are_written(recorder: RunRecorder, folder: RunDir) -> None:
    recorder.phase("loading")
    recorder.record(TrainMetric(train_step=1, loss=2.5))
    records, _ = folder.metrics()
    assert records[0].loss == 2.5
    assert records[0].time > 0


def test_a_resume_drops_what_it_will_repeat_and_a_half_written_line(folder: RunDir) -> None:
    folder.metrics_file.write_bytes(
        b'{"kind":"train","train_step":1,"time":1.0}\n{"kind":"train","train_step":2,"time":2.0}\n{"kind":"tr'
    )
    recorder = RunRecorder(folder, clock=Clock())
    recorder.plan({"total_train_steps": 5, "restored_train_step": 1})
    recorder.record(TrainMetric(train_step=2, loss=1.0))
    recorder.close()
    records, _ = folder.metrics()
    assert [r.train_step for r in records] == [1, 2]
    assert folder.state().earlier_seconds == 1.0
    assert records[1].time > records[0].time, "the clock of a resumed run goes on"
    assert folder.metrics_file.read_bytes().endswith(b"\n")


def test_a_run_that_starts_over_starts_with_empty_metrics(folder: RunDir) -> None:
    folder.metrics_file.write_bytes(b'{"kind":"train","train_step":1,"time":1.0}\n')
    recorder = RunRecorder(folder)
    recorder.plan({"total_train_steps": 5, "restored_train_step": 0})
    recorder.close()
    assert folder.metrics()[0] == []


def test_the_plan_says_how_far_there_is_to_go(recorder: RunRecorder, folder: RunDir) -> None:
    recorder.plan({"total_train_steps": 50, "restored_train_step": 10, "device": "CPU"})
    state = folder.state()
    assert (state.train_step, state.total_train_steps, state.device) == (10, 50, "CPU")


def test_the_log_holds_a_line_a_message(recorder: RunRecorder, folder: RunDir) -> None:
    recorder.log("Loaded the model.")
    assert folder.log_tail().endswith("Loaded the model.")


def test_an_evaluation_of_the_restored_train_step_is_dropped_and_its_checkpoint_stays(folder: RunDir) -> None:
    lines = [
        b'{"kind":"train","train_step":1,"time":1.0}\n',
        b'{"kind":"eval","train_step":1,"time":1.5}\n',
        b'{"kind":"checkpoint","train_step":1,"time":2.0}\n',
        b'{"kind":"train","train_step":2,"time":3.0}\n',
    ]
    folder.metrics_file.write_bytes(b"".join(lines))
    recorder = RunRecorder(folder)
    recorder.plan({"total_train_steps": 5, "restored_train_step": 1})
    recorder.close()
    assert folder.metrics_file.read_bytes() == lines[0] + lines[2]
    assert folder.state().earlier_seconds == 2.0


def test_a_resume_leaves_what_stays_as_it_is_on_disk(folder: RunDir) -> None:
    kept = b'{"kind":"train", "train_step":1, "time":1.0}\n'  # a line that this program would write in another way
    folder.metrics_file.write_bytes(kept + b'{"kind":"train","train_step":2,"time":2.0}\n')
    recorder = RunRecorder(folder)
    recorder.plan({"total_train_steps": 5, "restored_train_step": 1})
    recorder.close()
    assert folder.metrics_file.read_bytes() == kept


def test_alerts_are_written_behind_the_record_that_raised_them_and_into_the_log(folder: RunDir, tmp_path: Path) -> None:
    recorder = RunRecorder(folder, watch=Watch(make_manifest(tmp_path, train_steps=100)))
    recorder.plan({"total_train_steps": 100, "restored_train_step": 0})
    for step in range(1, 60):
        recorder.record(TrainMetric(train_step=step, loss=2.0))
    recorder.record(TrainMetric(train_step=60, loss=9.0))
    recorder.close()
    *_, spike, alert = folder.metrics()[0]
    assert (spike.kind, alert.kind, alert.alert) == ("train", "alert", "loss_spike")
    assert alert.train_step == 60
    assert "loss_spike: loss 9.00 at train step 60" in folder.log_tail()


def test_an_alert_that_was_told_before_a_resume_is_not_told_again(folder: RunDir, tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, train_steps=100)
    for restored, steps in ((0, range(1, 62)), (61, range(62, 70))):
        recorder = RunRecorder(folder, watch=Watch(manifest))
        recorder.plan({"total_train_steps": 100, "restored_train_step": restored})
        for step in steps:
            recorder.record(TrainMetric(train_step=step, loss=2.0 if step < 60 else 9.0))
        recorder.close()
    assert [r.train_step for r in folder.metrics()[0] if r.kind == "alert"] == [60]


def test_a_disk_without_room_for_the_next_checkpoint_is_told(
    folder: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1500))
    saved = folder.checkpoints / "10" / "model"
    saved.parent.mkdir(parents=True)
    saved.write_bytes(bytes(1000))
    recorder = RunRecorder(folder, watch=Watch(make_manifest(tmp_path, train_steps=100)))
    recorder.plan({"total_train_steps": 100, "restored_train_step": 0})
    recorder.record(CheckpointMetric(train_step=10, reason="cadence", seconds=0.1))
    recorder.close()
    alert = folder.metrics()[0][-1]
    assert alert.alert == "disk_filling", "two are kept, so two more are written before the first one goes"


def test_sinks_are_told_what_is_written_and_are_closed(folder: RunDir) -> None:
    told: list[object] = []

    class Sink:
        def plan(self, plan: TrainPlan) -> None:
            told.append(plan["restored_train_step"])

        def record(self, record: Known) -> None:
            told.append((record.train_step, record.time is not None))

        def close(self) -> None:
            told.append("closed")

    recorder = RunRecorder(folder, sinks=[Sink()])
    recorder.plan({"total_train_steps": 5, "restored_train_step": 0})
    recorder.record(TrainMetric(train_step=1, loss=1.0))
    recorder.close()
    assert told == [0, (1, True), "closed"]


def answer(recorder: RunRecorder, train_step: int) -> None:
    for id in ("a", "b"):
        recorder.record(SampleAnswer(train_step=train_step, id=id, output=f"{id} at {train_step}"))
    recorder.record(SamplesMetric(train_step=train_step, rows=2))


def test_answers_go_into_a_file_of_their_own(recorder: RunRecorder, folder: RunDir) -> None:
    answer(recorder, 0)
    answer(recorder, 4)
    assert [(r.train_step, r.output) for r in folder.samples()[0]] == [
        (0, "a at 0"), (0, "b at 0"), (4, "a at 4"), (4, "b at 4"),
    ]  # fmt: skip
    records, _ = folder.metrics()
    assert [(r.kind, r.train_step, r.rows) for r in records] == [("samples", 0, 2), ("samples", 4, 2)]


def test_answers_are_read_from_where_the_last_read_ended(recorder: RunRecorder, folder: RunDir) -> None:
    answer(recorder, 0)
    _, cursor = folder.samples()
    answer(recorder, 4)
    assert [r.train_step for r in folder.samples(cursor)[0]] == [4, 4]


def test_a_resume_drops_the_answers_that_it_makes_again(folder: RunDir) -> None:
    recorder = RunRecorder(folder)
    for train_step in (0, 4, 8):
        answer(recorder, train_step)
    recorder.close()
    with folder.samples_file.open("ab") as file:
        file.write(b'{"train_step": 9, "outp')  # the kernel killed it here
    resumed = RunRecorder(folder)
    resumed.plan({"total_train_steps": 12, "restored_train_step": 4})
    answer(resumed, 4)
    resumed.close()
    assert [r.train_step for r in folder.samples()[0]] == [0, 0, 4, 4]
    assert [r.train_step for r in folder.metrics()[0]] == [0, 4]


def test_a_run_that_starts_over_keeps_no_answers(folder: RunDir) -> None:
    recorder = RunRecorder(folder)
    answer(recorder, 0)
    recorder.plan({"total_train_steps": 12, "restored_train_step": 0})
    recorder.close()
    assert folder.samples()[0] == []
