"""What a run does before its first train step, beside the times of the last one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from app.runs.figures.kept import folder_of
from app.state import get_pipeline
from app.ui.words import duration
from tunixrt_core.runs.figures import settings_of
from tunixrt_core.runs.metrics import CompileMetric, EvalMetric, Metric, SamplesMetric, TrainMetric
from tunixrt_core.runs.record import Run, RunState, RunStatus

_LOOKED = 30  # newest runs
_SHAPING = ("model", "method", "lora_rank", "batch_size", "max_seq_length")  # settings that make the train step
_MOST = 0.97  # share shown while it lasts longer than before
_WORDS = {
    "loading": "Load the model and the rows",
    "evaluating": "Evaluate before training",
    "answering": "Answer the fixed prompts",
    "compiling": "Compile the train step",
}
_USUAL = ("loading", "compiling")  # phases of any run, in their order
_TIMED: Mapping[type, str] = {EvalMetric: "evaluating", SamplesMetric: "answering", CompileMetric: "compiling"}


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase before the first train step. `seconds`: taken (so far); `expected`: what it took last time."""

    words: str
    state: Literal["done", "now", "next"]
    seconds: float | None
    expected: float | None

    @property
    def note(self) -> str:
        """`11 s so far, 33 s last time`."""
        taken = "" if self.seconds is None else duration(self.seconds) + (" so far" if self.state == "now" else "")
        last = "" if self.expected is None else f"{duration(self.expected)} last time"
        return ", ".join(part for part in (taken, last) if part)


@dataclass(frozen=True, slots=True)
class Beginning:
    """The phases of a run before its first train step."""

    phases: Sequence[Phase]

    @property
    def line(self) -> str | None:
        """The current phase in words, where its time is known from an earlier run."""
        now = next((phase for phase in self.phases if phase.state == "now"), None)
        return f"{now.words}: {now.note}" if now and now.expected is not None and now.seconds is not None else None

    @property
    def share(self) -> float | None:
        """Share done of all phases, as far as their times are known from an earlier run."""
        total = sum(phase.expected or 0.0 for phase in self.phases)
        if not total:
            return None
        done = sum(_done(phase) for phase in self.phases)
        return round(min(_MOST, done / total), 4)

    def to_list(self) -> list[list[str]]:
        """Words, state and note of each phase."""
        return [[phase.words, phase.state, phase.note] for phase in self.phases]


def beginning(run: Run, state: RunState) -> Beginning | None:
    """None once a train step was taken, and for a run that is over or stops."""
    if state.status.over or state.status is RunStatus.STOPPING or state.train_step:
        return None
    records = folder_of(run).metrics()[0]
    taken, expected = _seconds(records), _last_time(run.id, state.started_at)
    names = [*(expected or _USUAL)]
    current = state.phase if state.phase in _WORDS else ""
    if current and current not in names:
        names.insert(-1, current)
    place = names.index(current) if current else -1
    phases = []
    for i, name in enumerate(names):
        if i == place:
            seconds = max(0.0, time.time() - state.phase_at) if state.phase_at else None
        else:
            seconds = taken.get(name) if i < place else None
        where: Literal["done", "now", "next"] = "done" if i < place else "now" if i == place else "next"
        phases.append(Phase(_WORDS[name], where, seconds, expected.get(name)))
    return Beginning(phases)


def _done(phase: Phase) -> float:
    """The expected seconds of a phase that are over."""
    expected = phase.expected or 0.0
    if phase.state == "done":
        return expected
    return min(expected, phase.seconds or 0.0)


def _seconds(records: Sequence[Metric]) -> dict[str, float]:
    """Seconds of each phase before the first train step, in their order; loading lasts until the first record."""
    found: dict[str, float] = {}
    for record in records:
        if isinstance(record, TrainMetric):
            break
        if not isinstance(record, EvalMetric | SamplesMetric | CompileMetric) or record.seconds is None:
            continue
        if not found:
            found["loading"] = max(0.0, (record.time or record.seconds) - record.seconds)
        found.setdefault(_TIMED[type(record)], record.seconds)
    return found


@lru_cache(maxsize=64)
def _last_time(run_id: str, started_at: float | None) -> Mapping[str, float]:
    """The seconds of each phase in the newest run with the same shapes; looked up once per start."""
    runs = get_pipeline().runs
    shape = _shape(runs.get(run_id))
    for other in runs.page(limit=_LOOKED).items:
        if other.id != run_id and other.status.over and _shape(other) == shape:
            found = _seconds(folder_of(other).metrics()[0])
            if "compiling" in found:
                return found
    return {}


def _shape(run: Run) -> tuple[object, ...]:
    found = settings_of(run.manifest)
    return tuple(found.get(name) for name in _SHAPING)
