"""Records of a run, written into its folder as it trains."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from tunixrt_core.runs.folder import RunDir, log_line
from tunixrt_core.runs.metrics import (
    Alert,
    ChangeMetric,
    CheckpointMetric,
    EvalMetric,
    Known,
    Metric,
    Record,
    SampleAnswer,
    SamplesMetric,
    TrainMetric,
    TrainPlan,
    read_answers,
    read_metrics,
    to_line,
)
from tunixrt_core.runs.record import NEXT, RunState, RunStatus
from tunixrt_core.training.alerts import Watch
from tunixrt_core.training.trainer import MetricSink
from tunixrt_core.util.owners import BEAT_SECONDS, Attempt

_STATUS_OF_PHASE = {
    "loading": RunStatus.LOADING,
    "compiling": RunStatus.COMPILING,
    "training": RunStatus.RUNNING,
}
_STATE_SECONDS = 0.5  # how often progress alone rewrites the state file


class RunRecorder:
    """A trainer.TrainObserver that writes to the run's folder and to metric sinks. One recorder per run.

    `watch` reads every record, and the alerts that it raises are written as records of their own. The lock is
    needed because the trainer's thread and the one that watches for a stop both change the state.
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
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`attempt`: whose start this is; that of this process where none is given.

        `before`: the state of an earlier training. Nothing but state and log is written until its first new train
        step, and an end before that one is written as that state, with the reason in `refused`.
        """
        self._folder = folder
        self._watch = watch
        self.sinks = sinks
        self._on_status = on_status or (lambda state: None)
        self._clock = clock
        self._lock = threading.RLock()
        self._written = 0.0
        self._held: list[Callable[[], None]] = []  # what waits for the first new train step
        earlier = RunState.from_dict(before) if before is not None else RunState()
        owner, number = attempt or folder.next_attempt()
        self.state = RunState(
            owner=owner,
            attempt=number,
            started_at=clock(),
            train_step=earlier.train_step,
            total_train_steps=earlier.total_train_steps,
            before=before,
        )
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
        with self._lock:
            status = _STATUS_OF_PHASE.get(phase, self.state.status)
            # a requested stop is not undone by a phase that begins late
            moves = self.state.status is not RunStatus.STOPPING and status in NEXT[self.state.status]
            began = self._clock() if phase != self.state.phase else self.state.phase_at
            status = status if moves else self.state.status
            self._write(replace(self.state, phase=phase, phase_at=began, status=status))

    def plan(self, plan: TrainPlan) -> None:
        """Totals known before the first train step. Records that a resume repeats are dropped."""
        with self._lock:
            restored, total = plan.get("restored_train_step", 0), plan.get("total_train_steps", 0)
            if self._watch:
                self._watch.plan(total, plan.get("vocab_size"))
            seconds, alerts, end, kept_behind = self._read_what_stays(restored)
            self.once_begun(lambda: self._cut_metrics(end, kept_behind))
            self.once_begun(lambda: _cut_samples(self._folder.samples_file, restored))
            self.once_begun(lambda: self._tell_sinks(plan))
            self._write(
                replace(
                    self.state,
                    plan=plan,
                    total_train_steps=total,
                    device=plan.get("device", ""),
                    train_step=restored,
                    earlier_seconds=seconds,
                    alerts=dict(alerts),
                )
            )

    def record(self, record: Record) -> None:
        """Append one record, and the alerts that it raises, and flush them to the operating system.

        Answers are written to a file of their own. Raises Superseded where the run was started again elsewhere.
        """
        with self._lock:
            if self._clock() - self._written >= _STATE_SECONDS:
                self._folder.require_attempt(self.state.attempt)
            if isinstance(record, TrainMetric):
                self.begin()
            now = self._clock()
            self.once_begun(lambda: self._keep(record, now))

    def once_begun(self, write: Callable[[], None]) -> None:
        """Call `write` now, or at the first new train step of a run that was resumed; never if there is none."""
        with self._lock:
            if self.state.before is None:
                write()
            else:
                self._held.append(write)

    def begin(self) -> None:
        """The run that was resumed has a new train step: write what waited for it. Nothing where nothing waits."""
        with self._lock:
            if self.state.before is None:
                return
            self._write(replace(self.state, before=None))
            held, self._held = self._held, []
            for write in held:
                write()

    @property
    def has_begun(self) -> bool:
        """Whether the run is a new one, or has a new train step since it was resumed."""
        return self.state.before is None

    def _keep(self, record: Record, now: float) -> None:
        if isinstance(record, SampleAnswer):
            with self._folder.samples_file.open("ab") as samples:
                samples.write(to_line(record))
            return
        self._append(record, now)
        for alert in self._alerts(record):
            self._append(alert, now)
            self.log(f"Alert: {alert.alert}: {alert.evidence}")
        self._metrics.flush()
        if isinstance(record, TrainMetric):
            self.state = replace(self.state, train_step=record.train_step)
            if now - self._written >= _STATE_SECONDS:
                self._write(self.state)

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
        if isinstance(record, CheckpointMetric) and (sizes := _checkpoint_sizes(self._folder.checkpoints)):
            # a checkpoint is complete before an older one is deleted, so there must be space for one more than are kept
            more = max(1, self._watch.kept_checkpoints + 1 - len(sizes))
            free = shutil.disk_usage(self._folder.path).free
            found += self._watch.disk(record.train_step, free=free, needed=more * max(sizes))
        return found

    def log(self, text: str) -> None:
        """A line for a person. One that cannot be written ends no run, and hides no reason of its end."""
        with self._lock, suppress(OSError):
            self._log.write(log_line(text, self._clock()))
            self._log.flush()

    def beat(self) -> None:
        """Write the state as it is if it was not written for ten seconds: the run's owner is alive."""
        with self._lock:
            if not self.state.status.over and self._clock() - self._written >= BEAT_SECONDS:
                self._write(self.state)

    def stopping(self) -> None:
        """The user requested a stop; the run is over when its trainer has returned."""
        with self._lock:
            if not self.state.status.over and self.state.status is not RunStatus.STOPPING:
                self._write(replace(self.state, status=RunStatus.STOPPING))

    def finish(self, status: RunStatus, *, message: str = "", train_step: int | None = None) -> None:
        """The run is over. Its state shows its last train step, and the reason of the end if it needs one.

        Of one that was resumed and has no new train step, the state is that from before the resume.
        """
        with self._lock:
            if self.state.before is not None:
                why = message or "It was stopped before its first new train step."
                self.log(f"The resume was refused and changed nothing: {why}")
                self.state = self.state.not_resumed(why)
                self._folder.write_state(self.state)
                self._on_status(self.state)
                return
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

    def _read_what_stays(self, restored: int) -> tuple[float, Counter[str], int | None, list[bytes]]:
        """Pass the records that a resume does not make again to the watch.

        Returns the seconds trained so far, how often each alert was raised, the offset of the first void record if
        there is one, and the lines behind it that stay.
        """
        end, kept_behind, seconds, alerts = None, [], 0.0, Counter[str]()
        with self._folder.metrics_file.open("rb") as file:
            offset = 0
            for line in file:
                record = next(iter(read_metrics(line)), None) if line.endswith(b"\n") else None
                if record is None or _is_made_again(record, restored):
                    end = offset if end is None else end
                else:
                    seconds = seconds if record.time is None else record.time
                    alerts.update([record.alert] if isinstance(record, Alert) else [])
                    kept_behind += [line] if end is not None else []
                    if self._watch:
                        self._watch.see(record)
                offset += len(line)
        return seconds, alerts, end, kept_behind

    def _cut_metrics(self, end: int | None, kept_behind: list[bytes]) -> None:
        """Cut the void records. Almost always they are the end of the file; a later one that stays is written again.

        This also fixes a last line that a killed process left half-written.
        """
        if end is not None:
            self._metrics.truncate(end)
            self._metrics.writelines(kept_behind)
            self._metrics.flush()

    def _tell_sinks(self, plan: TrainPlan) -> None:
        for sink in self.sinks:
            sink.plan(plan)

    def _write(self, state: RunState) -> None:
        moved = state.status is not self.state.status
        self._written = self._clock()
        self.state = replace(state, updated_at=self._written)
        self._folder.write_state(self.state)
        if moved:
            self._on_status(self.state)


def _one_more(counts: Mapping[str, int], name: str) -> dict[str, int]:
    return {**counts, name: counts.get(name, 0) + 1}


def _is_made_again(record: Metric, restored: int) -> bool:
    """Whether a run that continues after the train step `restored` makes this record again."""
    step = record.train_step
    return step > restored or (step == restored and isinstance(record, EvalMetric | SamplesMetric | ChangeMetric))


def _cut_samples(file: Path, restored: int) -> None:
    """Cut the answers that a run continuing after the train step `restored` makes again: the end of the file."""
    if not file.exists():
        return
    with file.open("r+b") as samples:
        end = 0
        for line in samples:
            answers = read_answers(line)
            if not line.endswith(b"\n") or (answers and answers[0].train_step >= restored):
                break
            end += len(line)
        samples.truncate(end)


def _checkpoint_sizes(folder: Path) -> list[int]:
    """Bytes of each complete checkpoint. They are directories named by their train step."""
    found = [path for path in folder.iterdir() if path.is_dir() and path.name.isdigit()] if folder.is_dir() else []
    return [sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) for path in found]
