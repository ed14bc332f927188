"""The figures of a run follow its records, also when a resume cuts them."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.makers import make_manifest
from tunixrt_core.runs.figures import RunFigures, changed_at, settings_of
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import Alert, EvalMetric, Known, TrainMetric, to_line
from tunixrt_core.runs.record import RunState


def append(folder: RunDir, *records: Known) -> None:
    with folder.metrics_file.open("ab") as file:
        file.writelines(map(to_line, records))


def train(step: int, loss: float) -> TrainMetric:
    return TrainMetric(train_step=step, loss=loss, trained_tokens=100, time=float(step))


def test_new_records_are_added_to_the_figures_and_the_best_evaluation_is_kept(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    append(folder, train(1, 3.0), EvalMetric(train_step=1, loss=2.5), train(2, 2.000000004))
    figures = RunFigures(folder)
    first = figures.values(RunState(train_step=2, total_train_steps=9))
    assert first == {
        **{"train_step": 2, "total_train_steps": 9, "train_loss": 2.0, "eval_loss": 2.5, "best_eval_loss": 2.5},
        **{"best_train_step": 1, "seconds": 2.0, "trained_tokens": 200},
    }
    append(folder, EvalMetric(train_step=2, loss=2.75), Alert(train_step=2, alert="loss_spike"))
    second = figures.values(RunState(train_step=2, total_train_steps=9))
    assert (second["eval_loss"], second["best_eval_loss"], second["alerts"]) == (2.75, 2.5, 1)


def test_after_a_cut_the_figures_are_counted_again(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    append(folder, *(train(step, 3.0 - step / 10) for step in range(1, 9)))
    figures = RunFigures(folder)
    assert figures.values(RunState())["trained_tokens"] == 800
    lines = folder.metrics_file.read_bytes().splitlines(keepends=True)
    folder.metrics_file.write_bytes(b"".join(lines[:3]))
    again = figures.values(RunState())
    assert (again["trained_tokens"], again["train_loss"]) == (300, 2.7)


def test_the_listed_settings_are_those_of_the_manifest_and_a_full_training_has_no_rank(tmp_path: Path) -> None:
    found = settings_of(make_manifest(tmp_path, train_steps=1).to_dict())
    assert found == {
        **{"model": "tiny", "method": "full", "learning_rate": 0.003, "batch_size": 32, "max_seq_length": 512}
    }
    assert settings_of({"method": "lora", "lora": {"rank": 4}}) == {"method": "lora", "lora_rank": 4}
    assert settings_of({}) == {}


def test_a_folder_without_a_state_was_never_written(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    assert changed_at(str(tmp_path)) == 0
    folder.write_state(RunState())
    assert changed_at(str(tmp_path)) == folder.state_file.stat().st_mtime_ns
