"""What the compared runs have measured: read in the background, and kept for all sessions once a run is over."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app.state import get_pipeline
from app.ui.boundary import error_boundary
from app.ui.charts.curves import Curves
from app.ui.desk import Desk, DeskJob, Tell
from app.ui.words import plural
from tunixrt_core.evaluation.run_summary import RunSummary, summarise
from tunixrt_core.runs.record import Run, RunDir

_KEPT = 12
_FRESH_SECONDS = 20  # how long what a run in progress has measured is good enough for a comparison


@dataclass(frozen=True, slots=True)
class Reading:
    """One run as it was measured."""

    curves: Curves
    summary: RunSummary


_Key = tuple[str, str, float]
_read: OrderedDict[_Key, Reading] = OrderedDict()
_read_lock = threading.Lock()  # pages of several sessions, and the desk's thread
_desk = Desk[None]("compare")


def readings(runs: Sequence[Run]) -> list[Reading] | None:
    """What the runs have measured, in their order. None, with how far it is, while that is read; the page comes again
    at its end. Raises NotFound for a run whose folder is gone.
    """
    now = time.time()
    keys = [_key(run, now) for run in runs]
    job = _desk.ask(tuple(keys), lambda tell: _read_all(runs, keys, tell))
    if not job.wait():
        st.fragment(_show_progress, run_every=0.5)(job)
        return None
    if job.future.cancelled():
        st.rerun()
    if error := job.future.exception():
        _desk.forget(tuple(keys))
        raise error
    with _read_lock:
        found = [_read.get(key) for key in keys]
    if any(each is None for each in found):  # other comparisons have pushed it out
        _desk.forget(tuple(keys))
        st.rerun()
    return [each for each in found if each is not None]


def _key(run: Run, now: float) -> _Key:
    until = run.ended_at.timestamp() if run.status.over and run.ended_at else now // _FRESH_SECONDS
    return run.directory, run.id, until


def _read_all(runs: Sequence[Run], keys: Sequence[_Key], tell: Tell) -> None:
    for done, (run, key) in enumerate(zip(runs, keys, strict=True)):
        tell(done, len(runs))
        with _read_lock:
            if key in _read:
                _read.move_to_end(key)
                continue
        made = _reading(run)
        with _read_lock:
            _read[key] = made
            while len(_read) > _KEPT:
                _read.popitem(last=False)


def _reading(run: Run) -> Reading:
    curves = Curves()
    curves.extend(*get_pipeline().runs.metrics(run.id))
    return Reading(curves, summarise(RunDir(Path(run.directory))))


def _show_progress(job: DeskJob[None]) -> None:
    with error_boundary():
        if job.future.done():
            st.rerun()
        st.progress(job.share, text=f"Reading what {plural(job.total, 'run')} measured")
