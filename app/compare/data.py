"""Measurements of compared runs, read in the background and cached."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app.state import get_pipeline
from app.ui.background import computed
from app.ui.charts.curves import Curves
from app.ui.words import plural
from tunixrt_core.errors import TunixRTError
from tunixrt_core.evaluation.run_summary import RunSummary, summarise
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run
from tunixrt_core.util.tasks import Progress, Task, Tasks

_KEPT = 12
_FRESH_SECONDS = 20  # age at which the measurements of a run in progress are read again


@dataclass(frozen=True, slots=True)
class Reading:
    """The measurements of one run."""

    curves: Curves
    summary: RunSummary


_Key = tuple[str, str, float]
_read: OrderedDict[_Key, Reading] = OrderedDict()
_read_lock = threading.Lock()  # comparisons of several sessions
_tasks: Tasks[list[Reading]] = Tasks("comparison", at_once=1, keep=2)


def readings(runs: Sequence[Run]) -> list[Reading] | None:
    """The measurements of the runs, in their order. While they are read: None, with a progress bar shown; the page
    reruns at the end. Raises NotFound for a run whose folder is missing.
    """
    now = time.time()
    keys = [_key(run, now) for run in runs]

    def work(on_progress: Progress, stop: threading.Event) -> list[Reading]:
        found: list[Reading] = []
        for run, key in zip(runs, keys, strict=True):
            on_progress("runs", len(found), len(runs))
            found.append(_read_once(run, key))
        return found

    try:
        return computed(_tasks, tuple(keys), work, _show_progress)
    except TunixRTError:
        _tasks.forget(tuple(keys))
        raise


def _key(run: Run, now: float) -> _Key:
    until = run.ended_at.timestamp() if run.status.over and run.ended_at else now // _FRESH_SECONDS
    return run.directory, run.id, until


def _read_once(run: Run, key: _Key) -> Reading:
    with _read_lock:
        if key in _read:
            _read.move_to_end(key)
            return _read[key]
    made = _reading(run)
    with _read_lock:
        _read[key] = made
        while len(_read) > _KEPT:
            _read.popitem(last=False)
    return made


def _reading(run: Run) -> Reading:
    curves = Curves()
    curves.extend(*get_pipeline().runs.metrics(run.id))
    return Reading(curves, summarise(RunDir(Path(run.directory))))


def _show_progress(task: Task[list[Reading]]) -> None:
    st.progress(task.share, text=f"Reading the metrics of {plural(task.total, 'run')}")
