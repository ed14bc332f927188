"""The recorder writes what happened, once, and nothing that a resume repeats twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tunixrt_core.recorder import RunRecorder
from tunixrt_core.runs import RunDir, RunState, RunStatus


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
    recorder.record({"kind": "train", "train_step": 1, "loss": 2.5})
    records, _ = folder.metrics()
    assert records[0]["loss"] == 2.5
    assert records[0]["time"] > 0


def test_a_resume_drops_what_it_will_repeat_and_a_half_written_line(folder: RunDir) -> None:
    folder.metrics_file.write_bytes(
        b'{"kind":"train","train_step":1,"time":1.0}\n{"kind":"train","train_step":2,"time":2.0}\n{"kind":"tr'
    )
    recorder = RunRecorder(folder, clock=Clock())
    recorder.plan({"total_train_steps": 5, "restored_train_step": 1})
    recorder.record({"kind": "train", "train_step": 2, "loss": 1.0})
    recorder.close()
    records, _ = folder.metrics()
    assert [r["train_step"] for r in records] == [1, 2]
    assert folder.state().earlier_seconds == 1.0
    assert records[1]["time"] > records[0]["time"], "the clock of a resumed run goes on"
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
