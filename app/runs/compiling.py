"""Progress of a compilation against the time that the last one took."""

from __future__ import annotations

import time
from functools import lru_cache

from app.runs.kept import folder_of
from app.state import get_pipeline
from app.ui.words import duration
from tunixrt_core.runs.figures import settings_of
from tunixrt_core.runs.metrics import CompileMetric
from tunixrt_core.runs.record import Run, RunState

_LOOKED = 30  # newest runs
_SHAPING = ("model", "method", "lora_rank", "batch_size", "max_seq_length")  # settings that make the train step
_MOST = 0.97  # share shown while it lasts longer than before


def compiling(run: Run, state: RunState) -> tuple[str, float] | None:
    """Words and share done while the first train step compiles; None at other times, and without an earlier run."""
    if state.status.over or state.phase != "compiling" or state.train_step:
        return None
    if (expected := _last_time(run.id, state.started_at)) is None:
        return None
    waited = max(0.0, time.time() - state.phase_at)
    words = f"Compiling the train step: {duration(waited)} so far, {duration(expected)} last time"
    return words, round(min(_MOST, waited / max(expected, 1.0)), 4)


@lru_cache(maxsize=64)
def _last_time(run_id: str, started_at: float | None) -> float | None:
    """Seconds of the first compilation of the newest run with the same shapes; looked up once per start."""
    runs = get_pipeline().runs
    shape = _shape(runs.get(run_id))
    for other in runs.page(limit=_LOOKED).items:
        if other.id != run_id and other.status.over and _shape(other) == shape:
            for record in folder_of(other).metrics()[0]:
                if isinstance(record, CompileMetric):
                    return record.seconds
    return None


def _shape(run: Run) -> tuple[object, ...]:
    found = settings_of(run.manifest)
    return tuple(found.get(name) for name in _SHAPING)
