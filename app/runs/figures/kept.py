"""Curves of the runs viewed last, shared by pages and the API."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from app.ui.charts.curves import Curves
from tunixrt_core.errors import NotFound
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run, RunState

_KEPT = 64  # runs: a comparison has up to 50
_curves: OrderedDict[tuple[str, str], Curves] = OrderedDict()
_lock = threading.Lock()


def folder_of(run: Run) -> RunDir:
    """The run's folder, without a database query: a live page calls this every second."""
    return RunDir(Path(run.directory))


def state_of(run: Run) -> RunState:
    """The state in the run's folder, or that of the record if the folder is missing."""
    try:
        return folder_of(run).state()
    except NotFound:
        return RunState(status=run.status, message=run.message)


def generation_of(state: RunState) -> str:
    """What changes when a resume rewrites the records of a run: earlier reads are void."""
    return f"{state.started_at or 0:.3f}.{int(bool(state.plan) and state.before is None)}"


def curves_of(run: Run, state: RunState) -> Curves:
    """The metrics of a run, read on from where any session last stopped."""
    key = (run.directory, generation_of(state))
    with _lock:
        if (curves := _curves.get(key)) is None:
            curves = _curves[key] = Curves()
        _curves.move_to_end(key)
        while len(_curves) > _KEPT:
            _curves.popitem(last=False)
    with curves.lock:
        curves.extend(*folder_of(run).metrics(curves.cursor))
    return curves
