"""The accelerator's holder: time left and memory, from its folder."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tunixrt_core.errors import NotFound
from tunixrt_core.evaluation.folder import EvalState
from tunixrt_core.jobs.accelerator import Holder
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import TrainMetric, read_metrics
from tunixrt_core.runs.record import RunState
from tunixrt_core.util.files.tails import tail
from tunixrt_core.util.host import MemoryUse, memory_use

_PACE_OVER = 50  # train steps


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Bytes in use on an accelerator and the peak so far, as JAX reported at the last train step."""

    in_use: int
    peak: int


@dataclass(frozen=True, slots=True)
class Holding:
    """The holder of the accelerator, if there is one.

    `seconds_left` is None if unknown, `device_memory` if the device is a CPU or reports nothing.
    `memory` is the machine's, with the holder's process shown separately, or this one without a holder; None where
    that process is on another machine. `name` is that of the run that the accelerator works for.
    """

    holder: Holder | None
    seconds_left: float | None
    device_memory: DeviceMemory | None
    memory: MemoryUse | None
    name: str = ""


def held_by_training(holder: Holder, folder: RunDir) -> Holding:
    """From the state of its run, and from the last of its metrics."""
    try:
        state = folder.state()
    except NotFound:  # it is about to begin
        return Holding(holder, None, None, memory_of(holder))
    last = _last_train_records(folder.metrics_file)
    return Holding(holder, _train_seconds_left(state, last), _device_memory(state, last), memory_of(holder))


def held_by_evaluation(holder: Holder, states: Iterable[EvalState], now: float | None = None) -> Holding:
    """From the state of the one that the holder's process runs; `states` are those of the run that are not over."""
    state = next((s for s in states if s.owner == holder.owner and s.started_at), None)
    left = None
    if state and state.started_at and state.done and state.total:
        left = ((now or time.time()) - state.started_at) / state.done * (state.total - state.done)
    return Holding(holder, left, None, memory_of(holder))


def memory_of(holder: Holder) -> MemoryUse | None:
    """The memory of this machine with the holder's process; None where that is on another one."""
    return None if holder.pid is None else memory_use(holder.pid)


def _last_train_records(file: Path) -> list[TrainMetric]:
    # a train record is some hundred bytes, with records of other kinds between
    *whole, last = tail(file, 2 * _PACE_OVER).encode().split(b"\n")
    records = read_metrics(b"\n".join(whole))
    records += read_metrics(last)  # none while its writer is in the middle of it
    return [record for record in records if isinstance(record, TrainMetric)][-_PACE_OVER:]


def _train_seconds_left(state: RunState, last: list[TrainMetric]) -> float | None:
    """By the pace of the last train steps, evaluations and saves among them counted in."""
    if len(last) < 3 or not state.total_train_steps or state.status.over:
        return None
    first, newest = last[0], last[-1]
    steps = newest.train_step - first.train_step
    if steps <= 0 or newest.time is None or first.time is None:
        return None
    pace = (newest.time - first.time) / steps
    return max(0, state.total_train_steps - newest.train_step) * pace


def _device_memory(state: RunState, last: list[TrainMetric]) -> DeviceMemory | None:
    if not last or "cpu" in state.device.lower():
        return None
    in_use, peak = last[-1].memory_bytes, last[-1].peak_memory_bytes
    return None if in_use is None or peak is None else DeviceMemory(in_use, peak)
