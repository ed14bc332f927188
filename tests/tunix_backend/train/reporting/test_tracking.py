"""What TensorBoard shows is what was recorded, also after a resume; Weights & Biases is used only where asked for."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.makers import make_manifest
from tunixrt_core.errors import TrackingError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import CompileMetric, EvalMetric, SamplesMetric, TrainMetric
from tunixrt_core.training.recording.recorder import RunRecorder
from tunixrt_core.tunix_backend.train.reporting.tracking import TensorBoard, make_sinks, scalars


def train(step: int, loss: float) -> TrainMetric:
    return TrainMetric(
        train_step=step,
        loss=loss,
        learning_rate=2e-4,
        mfu=None,
        parts={"format": 0.1, "step 1": loss, "answer": 0.5},
        types={"compute": loss},
    )


def manifest(tmp_path: Path, **tracking: Any) -> RunManifest:
    made = make_manifest(tmp_path, train_steps=3).to_dict()
    return RunManifest.from_dict({**made, "tracking": tracking})


def test_numbers_have_tags_by_topic_and_what_is_not_a_number_has_none() -> None:
    assert scalars(train(3, 2.0)) == {
        "train/loss": 2.0,
        "train/learning_rate": 2e-4,
        "loss_by_part/format": 0.1,
        "loss_by_part/step_1": 2.0,
        "loss_by_part/answer": 0.5,
        "loss_by_type/compute": 2.0,
    }
    assert scalars(EvalMetric(train_step=3, loss=1.0, parts={"answer": 0.5})) == {
        "eval/loss": 1.0,
        "eval_loss_by_part/answer": 0.5,
    }
    assert scalars(SamplesMetric(train_step=3, exact_match=0.5, repetition=None, rows=4)) == {
        "samples/exact_match": 0.5
    }
    assert scalars(TrainMetric(train_step=3, loss=math.nan)) == {}
    assert scalars(CompileMetric(train_step=3, length=96, seconds=4.0)) == {}


def test_tensorboard_is_on_by_default_and_can_be_turned_off(tmp_path: Path) -> None:
    assert [type(sink) for sink in make_sinks(manifest(tmp_path), tmp_path)] == [TensorBoard]
    assert make_sinks(manifest(tmp_path, tensorboard=False), tmp_path) == []


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="says what happens where wandb is missing")
def test_weights_and_biases_without_its_package_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=r"pip install wandb, or leave wandb_project out"):
        make_sinks(manifest(tmp_path, wandb_project="mine"), tmp_path)


@pytest.mark.tunix
def test_event_files_hold_every_point_and_a_resume_supersedes_those_that_it_repeats(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    for restored, losses in ((0, {1: 3.0, 2: 2.0, 3: 9.0}), (1, {2: 1.9, 3: 1.5})):
        recorder = RunRecorder(folder, sinks=[TensorBoard(tmp_path / "tensorboard")])
        recorder.plan({"total_train_steps": 3, "restored_train_step": restored})
        for step, loss in losses.items():
            recorder.record(train(step, loss))
        recorder.record(EvalMetric(train_step=3, loss=1.25))
        recorder.close()
    curves = read_tensorboard(tmp_path / "tensorboard")
    assert curves["train/loss"] == {1: 3.0, 2: pytest.approx(1.9), 3: 1.5}
    assert curves["eval/loss"] == {3: 1.25}
    assert curves["loss_by_part/step_1"][3] == 1.5
    recorded = {r.train_step: r.loss for r in folder.metrics()[0] if r.kind == "train"}
    assert curves["train/loss"] == pytest.approx(recorded), "TensorBoard and the run's own file tell the same"


def read_tensorboard(folder: Path) -> dict[str, dict[int, float]]:
    """Curves by tag, as TensorBoard reads them: a session that starts at a step voids what is after it."""
    curves: dict[str, dict[int, float]] = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for event in events(file):
            if event.HasField("session_log") and event.session_log.status == event.session_log.START:
                for curve in curves.values():
                    for step in [step for step in curve if step >= event.step]:
                        del curve[step]
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    curves.setdefault(value.tag, {})[event.step] = value.simple_value
    return curves


def events(file: Path) -> Iterator[Any]:
    """The records of an event file: length (8 bytes), its checksum (4), the record, its checksum (4)."""
    from tensorboardX.proto.event_pb2 import Event

    data, at = file.read_bytes(), 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        yield Event.FromString(data[at + 12 : at + 12 + size])
        at += 16 + size
