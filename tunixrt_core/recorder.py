"""Writes what a trainer tells about a run into the run's folder, where readers poll it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from tunixrt_core.processes import this_process
from tunixrt_core.runs import NEXT, RunDir, RunState, RunStatus, write_atomic

_STATUS_OF_PHASE = {
    "loading": RunStatus.LOADING,
    "compiling": RunStatus.COMPILING,
    "training": RunStatus.RUNNING,
}
_STATE_SECONDS = 0.5  # how often progress alone rewrites the state file


class RunRecorder:
    """A trainer.TrainObserver with the run's folder behind it. One recorder a run.

    The lock is there because the trainer's thread and the one that watches for a stop both change the state.
    """

    def __init__(
        self,
        folder: RunDir,
        *,
        on_status: Callable[[RunState], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._on_status = on_status or (lambda state: None)
        self._clock = clock
        self._lock = threading.RLock()
        self._written = 0.0
        self.state = RunState(process=this_process(), started_at=clock())
        self._metrics = folder.metrics_file.open("ab")
        self._log = folder.log_file.open("a", encoding="utf-8")

    def close(self) -> None:
        self._metrics.close()
        self._log.close()

    def phase(self, phase: str) -> None:
        """`loading`, `compiling`, `training`, `evaluating` or `saving`; the first three move the status where legal."""
        with self._lock:
            status = _STATUS_OF_PHASE.get(phase, self.state.status)
            # a stop that was asked for is not undone by a phase that begins late
            moves = self.state.status is not RunStatus.STOPPING and status in NEXT[self.state.status]
            self._write(replace(self.state, phase=phase, status=status if moves else self.state.status))

    def plan(self, plan: Mapping[str, Any]) -> None:
        """Totals known before the first train step. Records of train steps that a resume repeats are dropped."""
        with self._lock:
            restored = int(plan.get("restored_train_step", 0))
            earlier = self._drop_records_after(restored)
            self._write(
                replace(
                    self.state,
                    plan=dict(plan),
                    total_train_steps=int(plan.get("total_train_steps", 0)),
                    device=str(plan.get("device", "")),
                    train_step=restored,
                    earlier_seconds=earlier,
                )
            )

    def record(self, record: Mapping[str, Any]) -> None:
        """Append one metrics record (`kind`, `train_step`, numbers) and flush it to the operating system."""
        with self._lock:
            now = self._clock()
            trained = self.state.earlier_seconds + now - (self.state.started_at or now)
            self._metrics.write(orjson.dumps({**record, "time": round(trained, 3)}) + b"\n")
            self._metrics.flush()
            if record["kind"] == "train":
                self.state = replace(self.state, train_step=int(record["train_step"]))
                if now - self._written >= _STATE_SECONDS:
                    self._write(self.state)

    def log(self, text: str) -> None:
        with self._lock:
            stamp = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%d %H:%M:%S")
            self._log.write(f"{stamp}  {text}\n")
            self._log.flush()

    def stopping(self) -> None:
        """The user asked to stop; the run is over when its trainer has returned."""
        with self._lock:
            if not self.state.status.over:
                self._write(replace(self.state, status=self.state.status.to(RunStatus.STOPPING)))

    def finish(self, status: RunStatus, *, message: str = "", train_step: int | None = None) -> None:
        """The run is over. Its state shows its last train step, and why it ended where that needs saying."""
        with self._lock:
            self._write(
                replace(
                    self.state,
                    status=self.state.status.to(status),
                    phase="",
                    message=message,
                    ended_at=self._clock(),
                    train_step=self.state.train_step if train_step is None else train_step,
                )
            )

    def _drop_records_after(self, train_step: int) -> float:
        """Returns how long the run had trained when it got there, in seconds."""

        def stays(record: Mapping[str, Any]) -> bool:
            again = record["kind"] == "eval" and record["train_step"] == train_step
            return int(record["train_step"]) <= train_step and not again

        kept = [r for r in self._folder.metrics()[0] if stays(r)]
        self._metrics.close()
        # this also mends a last line that a killed process left half-written
        write_atomic(self._folder.metrics_file, b"".join(orjson.dumps(r) + b"\n" for r in kept))
        self._metrics = self._folder.metrics_file.open("ab")
        return float(kept[-1]["time"]) if kept else 0.0

    def _write(self, state: RunState) -> None:
        moved = state.status is not self.state.status
        self._written = self._clock()
        self.state = replace(state, updated_at=self._written)
        self._folder.write_state(self.state)
        if moved:
            self._on_status(self.state)
