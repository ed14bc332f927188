"""One accelerator, one job: a worker thread that takes trainings and evaluations from a queue, in order."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from platform import platform, python_version
from typing import Any, Protocol

from tunixrt_core.errors import Conflict, StoreError, TunixRTError
from tunixrt_core.evaluation import EvalDir, EvalProgress, EvalRecord, Target, eval_rows, evaluate
from tunixrt_core.manifest import RunManifest, check_data_unchanged
from tunixrt_core.recorder import RunRecorder
from tunixrt_core.runs import RunDir, RunState, RunStatus, write_json
from tunixrt_core.trainer import LoadGenerator, Trainer

log = logging.getLogger(__name__)

_PACKAGES = ("tunix-rt", "google-tunix", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "qwix", "numpy")


class Backend(Protocol):
    """Where trainer and generator come from. Both are asked for inside the worker, because importing Tunix is slow."""

    def require(self) -> None:
        """Raises TunixMissing where training is not possible on this machine."""

    def trainer(self) -> Trainer: ...

    def load_generator(self) -> LoadGenerator: ...


def execute_training(
    manifest: RunManifest,
    folder: RunDir,
    backend: Backend,
    *,
    stop: threading.Event,
    on_status: Callable[[RunState], None] | None = None,
) -> RunState:
    """Run one manifest in this thread, from its data file to `result.json`; never raises for a failed run.

    The folder says how it went: status, metrics, log, checkpoints. A `stop` file in it, or the event, ends the
    run after the train step under way, with a checkpoint.
    """
    folder.create()
    folder.stop_file.unlink(missing_ok=True)
    folder.result_file.unlink(missing_ok=True)
    folder.manifest_file.write_text(manifest.to_yaml(), encoding="utf-8")
    recorder = RunRecorder(folder, on_status=on_status)
    try:
        with _watch_stop_file(folder, stop, recorder):
            _train(manifest, folder, backend, recorder, stop)
    except TunixRTError as error:
        recorder.log(f"Failed: {error}")
        recorder.finish(RunStatus.FAILED, message=str(error))
    except Exception as error:  # the worker's outermost frame: whatever happened, the run must say so
        recorder.log(traceback.format_exc())
        recorder.finish(RunStatus.FAILED, message=f"{type(error).__name__}: {error}. The log holds the details.")
        log.exception("run in %s failed", folder.path)
    finally:
        recorder.close()
    return recorder.state


def _train(
    manifest: RunManifest, folder: RunDir, backend: Backend, recorder: RunRecorder, stop: threading.Event
) -> None:
    recorder.phase("loading")
    check_data_unchanged(manifest)
    write_json(folder.env_file, environment())
    outcome = backend.trainer().train(manifest, folder.path, observer=recorder, stop=stop)
    status = RunStatus.STOPPED if outcome.stopped else RunStatus.SUCCEEDED
    write_json(
        folder.result_file,
        {
            "status": status,
            "train_step": outcome.train_step,
            "train_loss": outcome.train_loss,
            "eval_loss": outcome.eval_loss,
            "checkpoint": outcome.checkpoint.name if outcome.checkpoint else None,
            "manifest_hash": manifest.content_hash,
        },
    )
    recorder.finish(status, train_step=outcome.train_step)


@contextmanager
def _watch_stop_file(folder: RunDir, stop: threading.Event, recorder: RunRecorder) -> Iterator[None]:
    """While inside, a `stop` file or the event marks the run as stopping and sets the event."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            if stop.is_set() or folder.stop_file.exists():
                stop.set()
                recorder.stopping()
                return

    watcher = threading.Thread(target=watch, name="tunixrt-stop-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def execute_evaluation(
    manifest: RunManifest,
    run_folder: RunDir,
    target: Target,
    backend: Backend,
    *,
    limit: int | None = None,
    max_new_tokens: int | None = None,
    progress: EvalProgress | None = None,
    on_progress: Callable[[EvalProgress], None] = lambda progress: None,
    stop: threading.Event | None = None,
) -> dict[str, Any]:
    """Evaluate base or tuned on the manifest's eval split in this thread. Returns the summary; errors are raised."""
    progress = progress or EvalProgress(run_folder.path.name, target)

    def phase(name: str) -> None:
        progress.phase = name
        on_progress(progress)

    def advance(done: int, total: int) -> None:
        progress.phase, progress.done, progress.total = "generating", done, total
        on_progress(progress)

    check_data_unchanged(manifest)
    rows = eval_rows(manifest, limit)
    progress.total = len(rows)
    phase("loading")
    checkpoints = run_folder.checkpoints if target == "tuned" else None
    generator = backend.load_generator()(manifest, checkpoints, on_phase=phase)
    advance(0, len(rows))
    return evaluate(
        generator,
        manifest,
        rows,
        EvalDir(run_folder.evals / target),
        max_new_tokens=max_new_tokens or _longest_row(manifest, run_folder),
        on_progress=advance,
        stop=stop,
    )


def _longest_row(manifest: RunManifest, folder: RunDir) -> int:
    """Tokens of the longest row that was trained on: no completion that was learned from needs more."""
    plan = folder.state().plan if folder.state_file.exists() else {}
    return int(plan.get("row_length", manifest.max_seq_length))


def environment() -> dict[str, Any]:
    """Versions and platform, for `env.json`. No host name, no paths, no environment variables."""
    return {"python": python_version(), "platform": platform(), "packages": dict(_versions())}


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


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

    def submit_training(self, run_id: str, manifest: RunManifest, folder: RunDir) -> None:
        """Queue a run. Its folder shows `queued` at once."""
        folder.create()
        folder.write_queued()

        def work(stop: threading.Event) -> None:
            execute_training(
                manifest, folder, self.backend, stop=stop, on_status=lambda state: self._mirror(run_id, state)
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
        self._evals.update(record.id, status=RunStatus.LOADING)

        def generating(now: EvalProgress) -> None:
            if now.phase == "generating" and now.done == 0:
                self._evals.update(record.id, status=RunStatus.RUNNING)

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
        self._evals.update(
            eval_id, status=status, message=message, ended_at=datetime.now(UTC), metrics=dict(metrics or {})
        )


def wait_until_over(folder: RunDir, *, poll: float = 0.2, sleep: Callable[[float], None] = time.sleep) -> RunState:
    """Block until the run in this folder is over, whoever runs it."""
    while not (state := folder.state()).status.over:
        sleep(poll)
    return state


def run_folder_of(manifest: RunManifest, base: Path) -> RunDir:
    """Where a manifest's run lives: `output_dir`, relative to `base` where it is not absolute."""
    return RunDir(base / Path(manifest.output_dir).expanduser())
