"""What the command prints reads as a person would write it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tunixrt_core import terminal
from tunixrt_core.runs import RunDir, RunState, RunStatus


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), ("", "–"), (48212, "48,212"), (0.8125, "0.812"), (2e-4, "2.00e-04"), (0.0, "0.000"), ("x", "x")],
)
def test_numbers_have_separators_and_missing_ones_a_dash(value: object, text: str) -> None:
    assert terminal.number(value) == text


def test_a_run_is_followed_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "err", Console(file=io.StringIO(), width=200))
    folder = RunDir(tmp_path)
    with terminal.progress() as bar:
        display = terminal.RunDisplay(bar, folder)
        folder.metrics_file.write_text(
            '{"kind":"train","train_step":2,"loss":1.5,"tokens_per_second":900.0}\n'
            '{"kind":"eval","train_step":2,"loss":1.25}\n'
        )
        display.update(RunState(RunStatus.RUNNING, phase="training", train_step=1, total_train_steps=4))
        task = bar.tasks[0]
        assert (task.completed, task.total, task.description) == (2, 4, "training")
        assert task.fields["note"] == "loss 1.500  eval loss 1.250  900 tokens/s"


def test_rows_that_were_too_long_are_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(terminal, "err", Console(file=shown, width=200))
    terminal.dropped_rows(RunState(plan={"dropped_rows": 6_482, "train_rows": 284, "eval_rows": 34}))
    assert "6,482 of 6,800 rows are longer than max_seq_length" in shown.getvalue()
    terminal.dropped_rows(RunState(plan={"dropped_rows": 0}))
    assert shown.getvalue().count("\n") == 1
