"""The newest runs, each with the shape of its train loss."""

from __future__ import annotations

from itertools import islice
from typing import Any

from app.runs.figures.kept import curves_of, state_of
from app.ui.charts.curves import downsample, significant, smooth
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import Run

_TOLD = ("id", "name", "status", "dataset", "created", "train_step", "total_train_steps", "eval_loss", "tuned")
_POINTS = 60  # of a curve
_SMOOTHING = 0.8
_DIGITS = 4  # significant ones of a point


def recent_runs(pipeline: Pipeline, limit: int) -> dict[str, Any]:
    """The newest runs that are not in the archive: figures of the table of all, and the smoothed train loss.

    `reading` counts the runs whose figures are still being read.
    """
    table = pipeline.runs.table().to_dict()
    rows = (dict(zip(table["columns"], row, strict=True)) for row in table["rows"])
    newest = list(islice((row for row in rows if not row["archived"]), limit))
    curves = {run.id: _curve(run) for run in pipeline.runs.named([row["id"] for row in newest])}
    told = [{name: row[name] for name in _TOLD} | {"curve": curves.get(row["id"], [])} for row in newest]
    return {"runs": told, "reading": table["reading"]}


def _curve(run: Run) -> list[float]:
    losses = smooth(curves_of(run, state_of(run)).train.series("loss")[1], _SMOOTHING)
    return significant(losses[downsample(losses, _POINTS)], _DIGITS)
