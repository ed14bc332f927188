"""The CSV of curves holds every train record and every evaluation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from app.runs.figures.csv import HEADER, curves_csv
from tests.runs.test_figures import append, train
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import EvalMetric
from tunixrt_core.runs.record import Run, RunState, RunStatus


def test_an_evaluation_stands_with_its_train_record_or_alone(tmp_path: Path) -> None:
    folder = RunDir(tmp_path / "r-0001")
    folder.create()
    folder.write_state(RunState(RunStatus.SUCCEEDED))
    append(folder, EvalMetric(train_step=0, loss=6.0), train(1, 3.0), EvalMetric(train_step=1, loss=2.0))
    run = Run("r-0001", "one", RunStatus.SUCCEEDED, {}, str(folder.path), datetime.now(UTC))
    assert "".join(curves_csv([run])) == f"{HEADER}r-0001,1,100,1,3,2\nr-0001,0,,,,6\n"
