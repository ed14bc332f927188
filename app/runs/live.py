"""The part of a run's page that refreshes while it trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.runs.table import curves_of, folder_of, state_of
from app.runs.tiles import Tile, show_tiles, tiles_of
from app.ui.boundary import error_boundary
from app.ui.charts.board import TICK_BYTES, Board
from app.ui.charts.curves import Curves
from app.ui.words import compile_words, progress_line
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run, RunState

TICK = 2  # seconds between updates of a run
LIVE_LOG_BYTES = 3_000  # of the end of the log, at each tick
TILE_BYTES = 1_700  # of all tiles, sent again


@dataclass(frozen=True, slots=True)
class Places:
    """Places on the page for the parts that update; None for those that the open tab does not show."""

    top: Any
    board: Board | None = None
    log: Any = None


def follow(run: Run, shape: Callable[[RunState, Curves], object], places: Places) -> None:
    """Show the current state of the run, updated until the run is over.

    A tick writes changed parts only. `shape` describes what else of the page depends on the run: when it changes,
    the whole page reruns.
    """
    built = shape(state_of(run), curves_of(run, state_of(run)))
    numbers = Numbers()

    def tick() -> None:
        with error_boundary():
            state = state_of(run)
            curves = curves_of(run, state)
            if state.status is not run.status or shape(state, curves) != built:
                st.rerun()
            _show(curves, state, folder_of(run), places, numbers)

    with places.top:
        st.fragment(tick, run_every=None if run.status.over else TICK)()


@dataclass
class Numbers:
    """The tiles as last drawn. They wait for one tick if a chart needs the room."""

    tiles: Sequence[Tile] = ()
    waited: bool = True

    def now(self, curves: Curves, room: int) -> Sequence[Tile]:
        """Draw new tiles if there is room, or if the shown ones have already waited."""
        self.waited = not self.waited and room < TILE_BYTES
        if not self.waited:
            self.tiles = tiles_of(curves)
        return self.tiles


def _show(curves: Curves, state: RunState, folder: RunDir, places: Places, numbers: Numbers) -> None:
    left = curves.seconds_left(state.total_train_steps)
    compiling = compile_words(state.plan.get("row_lengths") or (), [length for _, length in curves.compiled])
    st.progress(min(1.0, state.share_done), text=progress_line(state, time.time(), left, compiling))
    room = TICK_BYTES - (TILE_BYTES if numbers.waited else 0)
    steps = curves.train.steps  # a resume empties them for a moment; the next tick reruns the page
    if places.board is not None and len(steps):
        room -= places.board.show(int(steps[-1]), room)
    show_tiles(numbers.now(curves, room))
    if places.log is not None:
        with places.log:
            text = folder.log_tail() if state.status.over else end_of(folder.log_tail(), LIVE_LOG_BYTES)
            st.code(text or "The log is empty.", language=None, wrap_lines=True)


def end_of(text: str, most_bytes: int) -> str:
    """The last lines of a text that fit into `limit` bytes; for one long line, its end."""
    data = text.encode()
    if len(data) <= most_bytes:
        return text
    whole_lines = data[-most_bytes - 1 :].partition(b"\n")[2]
    return (whole_lines or data[-most_bytes:]).decode(errors="replace")
