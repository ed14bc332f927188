"""Records of a run, written into its folder as it trains."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from tunixrt_core.runs.folder import RunDir, log_line
from tunixrt_core.runs.metrics import (
    Alert,
    CheckpointMetric,
    Known,
    Record,
    SampleAnswer,
    TrainMetric,
    TrainPlan,
    to_line,
)
from tunixrt_core.runs.ownership import LiveState
from tunixrt_core.runs.record import NEXT, RunState, RunStatus
from tunixrt_core.training.recording.alerts import Watch
from tunixrt_core.training.recording.resuming import cut_samples, read_kept
from tunixrt_core.training.trainer import MetricSink
from tunixrt_core.util.owners import Attempt

_STATUS_OF_PHASE = {
    "loading": RunStatus.LOADING,
    "compiling": RunStatus.COMPILING,
    "training": RunStatus.RUNNING,
}
_STATE_SECONDS = 0.5  # how often progress alone rewrites the state file


class RunRecorder(LiveState[RunState]):
    """A trainer.TrainObserver that writes to the run's folder and to metric sinks. One recorder per run.

    `watch` reads every record, and the alerts that it raises are written as records of their own. The trainer's thread
    and the one that watches for a stop both change the state.
    """

    def __init__(
        self,
        folder: RunDir,
        *,
        watch: Watch | None = None,
        sinks: Sequence[MetricSink] = (),
        on_status: Callable[[RunState], None] | None = None,
        before: Mapping[str, object] | None = None,
        attempt: Attempt | None = None,
        processes: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`attempt`: whose start this is; that of this process where none is given.

        `processes` train it together, of which this one reports.

        `before`: the state of an earlier training. Nothing but state and log is written until its first new train
        step, and an end before that one is written as that state, with the reason in `refused`.
        """
        earlier = RunState.from_dict(before) if before is not None else RunState()
        owner, number = attempt or folder.next_attempt()
        begins = RunState(
            owner=owner,
            attempt=number,
            started_at=clock(),
            train_step=earlier.train_step,
            total_train_steps=earlier.total_train_steps,
            processes=processes,
            before=before,
        )
        super().__init__(folder, begins, clock)
        self._files = folder
        self._watch = watch
        self.sinks = sinks
        self._on_status = on_status or (lambda state: None)
        self._held: list[Callable[[], None]] = []  # what waits for the first new train step
        self._metrics = folder.metrics_file.open("ab")
        self._log = folder.log_file.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the files and the sinks."""
        for sink in self.sinks:
            sink.close()
        for file in (self._metrics, self._log):
            with suppress(OSError):  # a full disk, of which the run has told by now
                file.close()

    def phase(self, phase: str) -> None:
        """As of trainer.TrainObserver; `loading`, `compiling` and `training` change the status if that is legal."""
        with self.lock:
            status = _STATUS_OF_PHASE.get(phase, self.state.status)
            # a requested stop is not undone by a phase that begins late
            moves = self.state.status is not RunStatus.STOPPING and status in NEXT[self.state.status]
            began = self._clock() if phase != self.state.phase else self.state.phase_at
            status = status if moves else self.state.status
            self.write(replace(self.state, phase=phase, phase_at=began, status=status))

    def plan(self, plan: TrainPlan) -> None:
        """Totals known before the first train step. Records that a resume repeats are dropped."""
        with self.lock:
            restored, total = plan.get("restored_train_step", 0), plan.get("total_train_steps", 0)
            if self._watch:
                self._watch.plan(total, plan.get("vocab_size"))
            kept = read_kept(
                self._files.metrics_file, restored, self._watch.see if self._watch else lambda record: None
            )
            self.once_begun(lambda: kept.cut(self._metrics))
            self.once_begun(lambda: cut_samples(self._files.samples_file, restored))
            self.once_begun(lambda: self._tell_sinks(plan))
            self.write(
                replace(
                    self.state,
                    plan=plan,
                    total_train_steps=total,
                    device=plan.get("device", ""),
                    train_step=restored,
                    earlier_seconds=kept.seconds,
                    alerts=dict(kept.alerts),
                )
            )

    def record(self, record: Record) -> None:
        """Append one record, and the alerts that it raises, and flush them to the operating system.

        Answers are written to a file of their own. Raises Superseded where the run was started again elsewhere.
        """
        with self.lock:
            if self._clock() - self.written_at >= _STATE_SECONDS:
                self._files.require_attempt(self.state.attempt)
            if isinstance(record, TrainMetric):
                self.begin()
            now = self._clock()
            self.once_begun(lambda: self._keep(record, now))

    def once_begun(self, write: Callable[[], None]) -> None:
        """Call `write` now, or at the first new train step of a run that was resumed; never if there is none."""
        with self.lock:
            if self.state.before is None:
                write()
            else:
                self._held.append(write)

    def begin(self) -> None:
        """The run that was resumed has a new train step: write what waited for it. Nothing where nothing waits."""
        with self.lock:
            if self.state.before is None:
                return
            self.write(replace(self.state, before=None))
            held, self._held = self._held, []
            for write in held:
                write()

    @property
    def has_begun(self) -> bool:
        """Whether the run is a new one, or has a new train step since it was resumed."""
        return self.state.before is None

    def _keep(self, record: Record, now: float) -> None:
        if isinstance(record, SampleAnswer):
            with self._files.samples_file.open("ab") as samples:
                samples.write(to_line(record))
            return
        self._append(record, now)
        for alert in self._alerts(record):
            self._append(alert, now)
            self.log(f"Alert: {alert.alert}: {alert.evidence}")
        self._metrics.flush()
        if isinstance(record, TrainMetric):
            self.state = replace(self.state, train_step=record.train_step)
            if now - self.written_at >= _STATE_SECONDS:
                self.write(self.state)

    def _append(self, record: Known, now: float) -> None:
        trained = self.state.earlier_seconds + now - (self.state.started_at or now)
        timed = msgspec.structs.replace(record, time=round(trained, 3))
        self._metrics.write(to_line(timed))
        if isinstance(record, Alert):
            self.state = replace(self.state, alerts=_one_more(self.state.alerts, record.alert))
        for sink in self.sinks:
            sink.record(timed)

    def _alerts(self, record: Known) -> list[Alert]:
        if self._watch is None:
            return []
        found = self._watch.see(record)
        if isinstance(record, CheckpointMetric) and (sizes := _checkpoint_sizes(self._files.checkpoints)):
            # a checkpoint is complete before an older one is deleted, so there must be space for one more than are kept
            more = max(1, self._watch.kept_checkpoints + 1 - len(sizes))
            free = shutil.disk_usage(self._files.path).free
            found += self._watch.disk(record.train_step, free=free, needed=more * max(sizes))
        return found

    def log(self, text: str) -> None:
        """A line for a person. One that cannot be written ends no run, and hides no reason of its end."""
        with self.lock, suppress(OSError):
            self._log.write(log_line(text, self._clock()))
            self._log.flush()

    def write(self, state: RunState) -> None:
        """As of LiveState; a move of the status is passed on."""
        moved = state.status is not self.state.status
        super().write(state)
        if moved:
            self._on_status(self.state)

    def stopping(self) -> None:
        """The user requested a stop; the run is over when its trainer has returned."""
        with self.lock:
            if not self.state.status.over and self.state.status is not RunStatus.STOPPING:
                self.write(replace(self.state, status=RunStatus.STOPPING))

    def finish(self, status: RunStatus, *, message: str = "", train_step: int | None = None) -> None:
        """The run is over. Its state shows its last train step, and the reason of the end if it needs one.

        Of one that was resumed and has no new train step, the state is that from before the resume.
        """
        with self.lock:
            if self.state.before is not None:
                why = message or "It was stopped before its first new train step."
                self.log(f"The resume was refused and changed nothing: {why}")
                self.state = self.state.not_resumed(why)
                self._files.write_state(self.state)
                self._on_status(self.state)
                return
            self.write(
                replace(
                    self.state,
                    status=self.state.status.to(status),
                    phase="",
                    message=message,
                    ended_at=self._clock(),
                    train_step=self.state.train_step if train_step is None else train_step,
                )
            )

    def _tell_sinks(self, plan: TrainPlan) -> None:
        for sink in self.sinks:
            sink.plan(plan)


def _one_more(counts: Mapping[str, int], name: str) -> dict[str, int]:
    return {**counts, name: counts.get(name, 0) + 1}


def _checkpoint_sizes(folder: Path) -> list[int]:
    """Bytes of each complete checkpoint. They are directories named by their train step."""
    found = [path for path in folder.iterdir() if path.is_dir() and path.name.isdigit()] if folder.is_dir() else []
    return [sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) for path in found]
