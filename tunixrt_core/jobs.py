"""One accelerator, one job: a worker thread that takes trainings and evaluations from a queue, in order."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from tunixrt_core.errors import Conflict, StoreError, TunixRTError
from tunixrt_core.evaluation import EvalProgress, EvalRecord
from tunixrt_core.execution import Backend, execute_evaluation, execute_training
from tunixrt_core.manifest import RunManifest
from tunixrt_core.runs import RunDir, RunState, RunStatus

log = logging.getLogger(__name__)


class RunRecords(Protocol):
    """What the job manager asks of the store about runs."""

    def mirror(self, run_id: str, **changes: Any) -> None: ...


class EvalRecords(Protocol):
    """What the job manager asks of the store about evaluations."""

    def update(self, eval_id: str, **changes: Any) -> object: ...


@dataclass(slots=True)
class _Job:
    run_id: str
    work: Callable[[threading.Event], None]
    kind: str  # train or evaluate
    cancelled: Callable[[], None]
    stop: threading.Event = field(default_factory=threading.Event)


class JobManager:
    """The queue and its worker thread. The thread starts with the first job and ends with the process."""

    def __init__(self, runs: RunRecords, evals: EvalRecords, backend: Backend) -> None:
        self._runs = runs
        self._evals = evals
        self.backend = backend
        # guards _queue and _current, which pages and API threads read while the worker takes jobs
        self._lock = threading.Condition()
        self._queue: deque[_Job] = deque()
        self._current: _Job | None = None
        self._worker: threading.Thread | None = None
        self._closed = False
        self._progress: dict[str, EvalProgress] = {}

    def submit_training(self, run_id: str, manifest: RunManifest, folder: RunDir, *, allow: Iterable[str] = ()) -> None:
        """Queue a run. Its folder shows `queued` at once. `allow` are codes of findings that must not block it."""
        folder.create()
        folder.write_queued()

        def work(stop: threading.Event) -> None:
            execute_training(
                manifest,
                folder,
                self.backend,
                stop=stop,
                on_status=lambda state: self._mirror(run_id, state),
                allow=allow,
            )

        def cancelled() -> None:
            folder.write_stopped_before_start()
            self._mirror(run_id, folder.state())

        self._put(_Job(run_id, work, "train", cancelled))

    def submit_evaluation(
        self, record: EvalRecord, manifest: RunManifest, folder: RunDir, limit: int | None = None
    ) -> None:
        """Queue the evaluation of one target of a run."""
        progress = EvalProgress(record.run_id, record.target)
        self._progress[record.id] = progress

        def work(stop: threading.Event) -> None:
            self._evaluate(record, manifest, folder, limit, progress, stop)

        def cancelled() -> None:
            self._end_evaluation(record.id, RunStatus.STOPPED, "Stopped before it began.")

        self._put(_Job(record.run_id, work, "evaluate", cancelled))

    def evaluation_progress(self, eval_id: str) -> EvalProgress | None:
        """The live progress of an evaluation that this process queued."""
        return self._progress.get(eval_id)

    def stop(self, run_id: str) -> bool:
        """Stop what runs for this run and drop what waits for it. False when there was nothing."""
        with self._lock:
            waiting = [job for job in self._queue if job.run_id == run_id]
            for job in waiting:
                self._queue.remove(job)
            current = self._current if self._current and self._current.run_id == run_id else None
        for job in waiting:
            job.cancelled()
        if current:
            current.stop.set()
        return bool(waiting or current)

    def holder(self) -> tuple[str, str] | None:
        """`(run id, kind)` of the job that holds the accelerator, or None."""
        current = self._current
        return (current.run_id, current.kind) if current else None

    def queued(self) -> list[tuple[str, str]]:
        """`(run id, kind)` of the waiting jobs, in order."""
        with self._lock:
            return [(job.run_id, job.kind) for job in self._queue]

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing runs or waits; False on timeout. For scripts and tests."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._queue and self._current is None, timeout)

    def close(self, timeout: float = 30.0) -> None:
        """Ask everything to stop and wait for the worker, so that the last checkpoint is whole."""
        with self._lock:
            self._closed = True
            waiting, self._queue = list(self._queue), deque()
            current = self._current
            self._lock.notify_all()
        for job in waiting:
            job.cancelled()
        if current:
            current.stop.set()
        if self._worker:
            self._worker.join(timeout)

    def _put(self, job: _Job) -> None:
        with self._lock:
            if self._closed:
                raise Conflict("The server is shutting down; start the run again after it is back.")
            self._queue.append(job)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="tunixrt-worker", daemon=True)
                self._worker.start()
            self._lock.notify_all()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
                job = self._current = self._queue.popleft()
            try:
                job.work(job.stop)
            except Exception:  # the worker's outermost frame: one bad job must not end the queue
                log.exception("job for %s failed", job.run_id)
            finally:
                with self._lock:
                    self._current = None
                    self._lock.notify_all()

    def _mirror(self, run_id: str, state: RunState) -> None:
        try:
            self._runs.mirror(run_id, status=state.status, message=state.message, **state.times())
        except StoreError as error:
            # a database that is busy with a long import must not end a training; the folder holds the truth
            log.warning("status of %s not mirrored: %s", run_id, error)

    def _evaluate(
        self,
        record: EvalRecord,
        manifest: RunManifest,
        folder: RunDir,
        limit: int | None,
        progress: EvalProgress,
        stop: threading.Event,
    ) -> None:
        self._tell(record.id, status=RunStatus.LOADING)

        def generating(now: EvalProgress) -> None:
            if now.phase == "generating" and now.done == 0:
                self._tell(record.id, status=RunStatus.RUNNING)

        try:
            summary = execute_evaluation(
                manifest,
                folder,
                record.target,
                self.backend,
                limit=limit,
                progress=progress,
                on_progress=generating,
                stop=stop,
            )
        except TunixRTError as error:
            self._end_evaluation(record.id, RunStatus.FAILED, str(error))
        except Exception as error:  # the worker's outermost frame for this job: the record must say so
            log.exception("evaluation %s failed", record.id)
            self._end_evaluation(record.id, RunStatus.FAILED, f"{type(error).__name__}: {error}")
        else:
            whole = summary["rows"] == summary.get("planned_rows")
            status = RunStatus.SUCCEEDED if whole else RunStatus.STOPPED
            self._end_evaluation(record.id, status, "", metrics=summary)

    def _end_evaluation(
        self, eval_id: str, status: RunStatus, message: str, metrics: Mapping[str, Any] | None = None
    ) -> None:
        self._tell(eval_id, status=status, message=message, ended_at=datetime.now(UTC), metrics=dict(metrics or {}))

    def _tell(self, eval_id: str, **changes: Any) -> None:
        try:
            self._evals.update(eval_id, **changes)
        except StoreError as error:
            log.warning("status of %s not stored: %s", eval_id, error)
