"""What the command prints reads as a person would write it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tunixrt_core.cli.show import terminal
from tunixrt_core.runs.record import RunState


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), ("", "–"), (48212, "48,212"), (0.8125, "0.812"), (2e-4, "2.00e-04"), (0.0, "0.000"), ("x", "x")],
)
def test_numbers_have_separators_and_missing_ones_a_dash(value: object, text: str) -> None:
    assert terminal.number(value) == text


def test_rows_that_were_too_long_are_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(terminal, "err", Console(file=shown, width=200))
    terminal.dropped_rows(RunState(plan={"dropped_rows": 6_482, "train_rows": 284, "eval_rows": 34}))
    assert "6,482 of 6,800 rows are longer than max_seq_length" in shown.getvalue()
    terminal.dropped_rows(RunState(plan={"dropped_rows": 0}))
    assert shown.getvalue().count("\n") == 1
