"""Table of the newest runs, for the overview."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app.runs.kept import curves_of, state_of
from app.state import get_pipeline
from app.ui.charts.curves import Curves, downsample, smooth
from app.ui.components import pick_row, state_column
from app.ui.words import STATE_WORDS, duration, elapsed
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import Run

_SPARK_POINTS = 60


@st.cache_data(max_entries=500, show_spinner=False)
def _summary_of_ended(run_id: str, directory: str, ended_at: float) -> tuple[list[float], float | None]:
    """Sparkline and last eval loss of an ended run, read once for all sessions."""
    curves = Curves()
    curves.extend(*get_pipeline().runs.metrics(run_id))
    return _summary(curves)


def _summary(curves: Curves) -> tuple[list[float], float | None]:
    losses = smooth(curves.train.series("loss")[1], 0.8)
    sparkline: list[float] = losses[downsample(losses, _SPARK_POINTS)].tolist()
    return sparkline, curves.evals.last("loss")


def runs_table(
    runs: Sequence[Run], *, key: str, now: float, evaluations: Sequence[EvalRecord] | None = None
) -> str | None:
    """Runs with state, progress and loss; the id of the chosen one. `evaluations` are newest first."""
    known = get_pipeline().evaluations.records() if evaluations is None else evaluations
    scores = {e.run_id: e.metrics.get("exact_match") for e in reversed(known) if e.target == "tuned"}
    rows = [_row(run, scores.get(run.id), now) for run in runs]
    chosen = pick_row(rows, _columns(), key=key, alt=f"{len(rows)} runs with state, progress and loss; newest first.")
    return runs[chosen].id if chosen is not None else None


def _row(run: Run, score: float | None, now: float) -> dict[str, Any]:
    state = state_of(run)
    if state.ended_at is not None:
        curve, eval_loss = _summary_of_ended(run.id, run.directory, state.ended_at)
    else:
        curve, eval_loss = _summary(curves_of(run, state))
    return {
        "id": run.id,
        "name": run.name,
        "state": [STATE_WORDS[run.status]],
        "progress": round(100 * state.share_done),
        "curve": curve,
        "eval_loss": eval_loss,
        "exact_match": None if score is None else 100 * score,
        "elapsed": duration(elapsed(state, now)),
    }


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "id": column.TextColumn("ID", width=70),
        "name": column.TextColumn("Run"),
        "state": state_column(width=100),
        "progress": column.ProgressColumn("Progress", min_value=0, max_value=100, format="%d%%", width=140),
        "curve": column.LineChartColumn("Train loss", width=130),
        "eval_loss": column.NumberColumn("Eval loss", format="%.3f", width=90),
        "exact_match": column.NumberColumn("Exact match", format="%.1f%%", width=100),
        "elapsed": column.TextColumn("Elapsed", width=80, alignment="right"),
    }
