"""How long the accelerator is still held is told by what its holder has written, and by nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tunixrt_core.evaluation.folder import EvalState
from tunixrt_core.jobs.accelerator import Holder
from tunixrt_core.jobs.holding import DeviceMemory, held_by_evaluation, held_by_training
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import TrainMetric
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.recording.recorder import RunRecorder
from tunixrt_core.util.host import memory_use
from tunixrt_core.util.owners import this_owner


def holder(kind: str = "train") -> Holder:
    return Holder("r-0001", kind, time.time(), this_owner())


def train(folder: RunDir, steps: int, device: str) -> RunRecorder:
    """A recorder whose clock goes two seconds a train step."""
    folder.create()
    now = [1_000.0]
    recorder = RunRecorder(folder, clock=lambda: now[0])
    recorder.phase("loading")
    recorder.plan({"total_train_steps": 100, "device": device})
    recorder.phase("training")
    for step in range(1, steps + 1):
        now[0] += 2.0
        memory = {"memory_bytes": 100 + step, "peak_memory_bytes": 500}
        recorder.record(TrainMetric(train_step=step, loss=1.0, **memory))
    return recorder


def test_a_training_has_as_long_to_go_as_its_pace_says(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    recorder = train(folder, 60, "TPU v5 lite")
    found = held_by_training(holder(), folder)
    assert found.seconds_left == pytest.approx(80.0)
    assert found.device_memory == DeviceMemory(160, 500)
    recorder.finish(RunStatus.STOPPED)
    recorder.close()
    assert held_by_training(holder(), folder).seconds_left is None


def test_a_training_that_has_just_begun_has_no_pace(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    train(folder, 2, "CPU").close()
    assert held_by_training(holder(), folder).seconds_left is None
    assert held_by_training(holder(), RunDir(tmp_path / "not-there")).seconds_left is None


def test_the_memory_of_a_cpu_is_that_of_the_machine(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    train(folder, 10, "CPU").close()
    found = held_by_training(holder(), folder)
    assert found.device_memory is None
    assert found.memory is not None
    assert found.memory.process > 1 << 20


def test_a_half_written_record_is_left_out(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    train(folder, 60, "CPU").close()
    with folder.metrics_file.open("ab") as file:
        file.write(b'{"kind":"train","train_st')
    assert held_by_training(holder(), folder).seconds_left == pytest.approx(80.0)


def test_an_evaluation_has_as_long_to_go_as_its_answers_took() -> None:
    running = EvalState(RunStatus.RUNNING, done=25, total=100, owner=this_owner(), started_at=1_000.0)
    waiting = EvalState(owner=this_owner())
    assert held_by_evaluation(holder("evaluate"), [waiting, running], now=1_050.0).seconds_left == pytest.approx(150.0)
    assert held_by_evaluation(holder("evaluate"), [waiting], now=1_050.0).seconds_left is None


def test_the_machine_tells_its_memory_by_process(tmp_path: Path) -> None:
    found = memory_use(os.getpid())
    assert found is not None
    assert min(found.process, found.free) > 0
    assert memory_use(2**30) is None
    assert memory_use(os.getpid(), tmp_path) is None
