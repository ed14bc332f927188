"""Parts of a run's page that follow the run while it trains."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.component.element import element
from app.runs.figures.kept import folder_of
from app.runs.figures.tiles import tiles_of
from app.ui.boundary import error_boundary
from app.ui.charts.curves import Curves
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.record import Run, RunState

LOG_TICK = 2  # seconds between updates of the log
LIVE_LOG_BYTES = 3_000  # of the end of the log, at each tick


def show_progress(
    run: Run, state: RunState, curves: Curves, manifest: RunManifest, *, panels: bool, samples: bool = False
) -> None:
    """Progress and newest numbers, with the charts where `panels`; the component follows the run by itself.

    It reruns the page when the page around no longer fits: after a change of status or plan, a new alert and, where
    the page shows `samples`, new answers.
    """
    norm = manifest.optimizer.max_grad_norm
    notes = {
        "gradient": f"clipped at {norm:g}" if norm else "not clipped",
        "rate": manifest.schedule.kind.value,
        "memory": state.device,
    }
    element(
        "charts",
        key=f"charts-{run.id}",
        url="/api/runs/series",
        run=run.id,
        name=run.name,
        status=state.status.value,
        alerts=len(curves.alerts),
        samples=len(curves.samples) if samples else None,
        total=state.total_train_steps,
        panels=panels,
        types=bool(curves.train.types),
        notes=notes,
        tiles=[[tile.label, tile.help] for tile in tiles_of(curves)],
        on_changed_change=lambda: None,
    )


def follow_log(run: Run, place: Any) -> None:
    """The log, updated until the run is over."""

    def tick() -> None:
        with error_boundary(), place:
            folder = folder_of(run)
            text = folder.log_tail() if run.status.over else end_of(folder.log_tail(), LIVE_LOG_BYTES)
            st.code(text or "The log is empty.", language=None, wrap_lines=True)

    st.fragment(tick, run_every=None if run.status.over else LOG_TICK)()


def end_of(text: str, most_bytes: int) -> str:
    """The last lines of a text that fit into `limit` bytes; for one long line, its end."""
    data = text.encode()
    if len(data) <= most_bytes:
        return text
    whole_lines = data[-most_bytes - 1 :].partition(b"\n")[2]
    return (whole_lines or data[-most_bytes:]).decode(errors="replace")
