"""The accelerator's queue: one worker thread, one job at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tunixrt_core.errors import NotFound, ShuttingDown, StoreError, Superseded, TunixRTError
from tunixrt_core.jobs.accelerator import Accelerator, Hold, Holder
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.util import owners
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.space import unwritable
from tunixrt_core.util.owners import Heartbeat

if TYPE_CHECKING:
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.runs.folder import RunDir
    from tunixrt_core.runs.record import RunState
    from tunixrt_core.training.backend import Backend

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5  # between two checks of an accelerator that another process holds


class RunRecords(Protocol):
    """The methods of the store that the job manager uses for runs."""

    def mirror(self, run_id: str, **changes: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job in the queue. `id` is that of the run to train, or of the evaluation."""

    id: str
    run: str
    kind: str  # train, evaluate, export, dry run or playground


@dataclass(frozen=True, slots=True)
class Queue:
    """The holder of the accelerator, in this process or another one, and the jobs waiting here, in order."""

    holder: Holder | None
    waiting: tuple[WaitingJob, ...]


@dataclass(slots=True)
class _Job:
    about: WaitingJob
    work: Callable[[threading.Event], None]
    dropped: Callable[[], None]
    failed: Callable[[str], None]
    beat: Callable[[], None]
    stop: StopRequest = field(default_factory=StopRequest)


def show_waiting(
    manifest: RunManifest, folder: RunDir, *, allow: Iterable[str] = (), request_id: str | None = None
) -> None:
    """Make the folder of a run show `queued`, and its manifest; of a resume not before its first new train step.

    What is needed to queue it again after a kill is written before its state, the request id with it.
    """
    folder.create()
    resumes = folder.before_resume() is not None
    if not resumes:
        folder.write_manifest(manifest.to_yaml())
    waiting = {"allow": sorted(allow), "manifest": manifest.to_dict() if resumes else None, "request": request_id}
    write_json(folder.queued_file, waiting)
    folder.write_queued()


def shows_waiting(folder: RunDir) -> bool:
    """Whether the folder shows that the run waits for this process."""
    if not folder.queued_file.exists():
        return False
    state = folder.state()
    return not state.status.over and owners.is_ours(state.owner)


class JobManager:
    """The queue and its worker thread. The thread starts with the first job and ends with the process.

    With an `accelerator`, a job also waits until no other process of the same home holds it. `webhook` is the address
    that gets the alerts and ends of runs.
    """

    def __init__(
        self, runs: RunRecords, backend: Backend, accelerator: Accelerator | None = None, *, webhook: str | None = None
    ) -> None:
        self._webhook = webhook
        self._runs = runs
        self.backend = backend
        # guards _queue and _current, which pages and API threads read while the worker takes jobs
        self._lock = threading.Condition()
        self._queue: deque[_Job] = deque()
        self._accelerator = accelerator
        self._current: tuple[_Job, Holder] | None = None
        self._worker: threading.Thread | None = None
        self._heartbeat: Heartbeat | None = None
        self._closed = False
        self._hooks: list[Callable[[WaitingJob], None]] = []

    def before_each(self, hook: Callable[[WaitingJob], None]) -> None:
        """Have the worker call this before each job, such as to free memory that the job may need."""
        self._hooks.append(hook)

    def submit_training(self, run_id: str, manifest: RunManifest, folder: RunDir, *, allow: Iterable[str] = ()) -> None:
        """Queue a run whose folder shows that it waits, as of `show_waiting`, and show it where it does not.

        `allow` are codes of findings that must not block it.
        """
        allowed = sorted(allow)
        if not shows_waiting(folder):
            show_waiting(manifest, folder, allow=allowed)

        attempt = folder.next_attempt()

        def work(stop: threading.Event) -> None:
            from tunixrt_core.training.execution import execute_training
            from tunixrt_core.training.webhook import Webhook

            folder.queued_file.unlink(missing_ok=True)
            execute_training(
                manifest,
                folder,
                self.backend,
                stop=stop,
                on_status=lambda state: self._mirror_state(run_id, state),
                on_begun=lambda: self._mirror(run_id, manifest=manifest.to_dict()),
                allow=allowed,
                attempt=attempt,
                webhook=Webhook(self._webhook, run_id, manifest.name) if self._webhook else None,
            )

        def dropped() -> None:
            folder.queued_file.unlink(missing_ok=True)
            folder.write_stopped_before_start()
            self._mirror_state(run_id, folder.state())

        # a training records its own outcome
        self.submit(
            WaitingJob(run_id, run_id, "train"), work, dropped=dropped, failed=lambda message: None, beat=folder.beat
        )

    def submit(
        self,
        about: WaitingJob,
        work: Callable[[threading.Event], None],
        *,
        dropped: Callable[[], None],
        failed: Callable[[str], None],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """Queue work for the accelerator. It receives an event that tells it to stop; `failed` receives its error as a
        sentence, and `dropped` is called if it leaves the queue before it began. `beat` shows every ten seconds, while
        it waits, that this process is alive.
        """
        self._put(_Job(about, work, dropped, failed, beat))

    def stop(self, run_id: str, why: str = "") -> bool:
        """Stop this run's running job and drop its waiting ones. False if there was none."""
        return self._stop(lambda about: about.run == run_id, why)

    def stop_job(self, job_id: str) -> bool:
        """Stop one job, or drop it if it waits. False if it is missing."""
        return self._stop(lambda about: about.id == job_id, "")

    def _stop(self, meant: Callable[[WaitingJob], bool], why: str) -> bool:
        with self._lock:
            waiting = [job for job in self._queue if meant(job.about)]
            for job in waiting:
                self._queue.remove(job)
            current = self._current[0] if self._current and meant(self._current[0].about) else None
        for job in waiting:
            job.dropped()
        if current:
            current.stop.ask(why)
        return bool(waiting or current)

    def remove(self, job_id: str) -> None:
        """Remove one job from the queue. Raises NotFound if none of that id waits."""
        with self._lock:
            job = self._waiting(job_id)
            self._queue.remove(job)
        job.dropped()

    def move(self, job_id: str, by: int) -> None:
        """Move a waiting job forward (-1) or back (+1), within the queue. Raises NotFound."""
        with self._lock:
            job = self._waiting(job_id)
            place = self._queue.index(job)
            self._queue.remove(job)
            self._queue.insert(max(0, place + by), job)

    def _waiting(self, job_id: str) -> _Job:
        found = next((job for job in self._queue if job.about.id == job_id), None)
        if found is None:
            raise NotFound("job in the queue", job_id, "It may have begun, or was removed.")
        return found

    def queue(self) -> Queue:
        """The holder of the accelerator, and the waiting jobs."""
        with self._lock:
            current, waiting = self._current, tuple(job.about for job in self._queue)
        elsewhere = self._accelerator.holder() if self._accelerator and current is None else None
        return Queue(current[1] if current else elsewhere, waiting)

    def holder(self) -> tuple[str, str] | None:
        """`(run id, kind)` of the job that holds the accelerator, in any process, or None."""
        holder = self.queue().holder
        return (holder.run, holder.kind) if holder else None

    def queued(self) -> list[tuple[str, str]]:
        """`(run id, kind)` of the waiting jobs, in order."""
        return [(job.run, job.kind) for job in self.queue().waiting]

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing runs or waits; False on timeout. For scripts and tests."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._queue and self._current is None, timeout)

    def close(self, timeout: float = 30.0) -> None:
        """Stop all jobs and wait for the worker, so that the last checkpoint is complete."""
        with self._lock:
            self._closed = True
            waiting, self._queue = list(self._queue), deque()
            current = self._current[0] if self._current else None
            self._lock.notify_all()
        for job in waiting:
            job.dropped()
        if current:
            current.stop.ask("Stopped because the server ended; resume continues from the checkpoint.")
        if self._worker:
            self._worker.join(timeout)
        if self._heartbeat:
            self._heartbeat.end()

    def _put(self, job: _Job) -> None:
        with self._lock:
            if self._closed:
                raise ShuttingDown("The server is shutting down; start the run again after it is back.")
            self._queue.append(job)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="tunixrt-worker", daemon=True)
                self._worker.start()
                self._heartbeat = Heartbeat(self._beat)
            self._lock.notify_all()

    def _beat(self) -> None:
        """Under the lock, so that no job begins meanwhile, which writes another state."""
        with self._lock:
            for job in self._queue:
                try:
                    job.beat()
                except (TunixRTError, OSError, ValueError) as error:  # it is told when the job begins
                    log.warning("%s waits, which its folder does not show: %s", job.about.id, error)

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            job, held = taken
            try:
                for hook in self._hooks:
                    hook(job.about)
                job.work(job.stop)
            except Superseded as error:
                log.warning("%s", error)  # its folder is another process's
            except TunixRTError as error:
                job.failed(str(error))
            except Exception as error:  # the worker's outermost frame: one bad job must not end the queue
                log.exception("job for %s failed", job.about.run)
                job.failed(unwritable(None, error) or f"{type(error).__name__}: {error}")
            finally:
                if held:
                    held.release()
                with self._lock:
                    self._current = None
                    self._lock.notify_all()

    def _next(self) -> tuple[_Job, Hold | None] | None:
        """The first job, once the accelerator is held for it; None after the last one."""
        with self._lock:
            while True:
                self._lock.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return None
                about = self._queue[0].about
                held = self._accelerator.take(about.run, about.kind) if self._accelerator else None
                if held or self._accelerator is None:
                    job = self._queue.popleft()
                    self._current = job, Holder(about.run, about.kind, time.time(), owners.this_owner())
                    return job, held
                self._lock.wait(_LOOK_SECONDS)  # another process holds it; the queue may change meanwhile

    def _mirror_state(self, run_id: str, state: RunState) -> None:
        self._mirror(run_id, status=state.status, message=state.message, **state.times())

    def _mirror(self, run_id: str, **changes: Any) -> None:
        try:
            self._runs.mirror(run_id, **changes)
        except StoreError as error:
            # a database that is busy with a long import must not end a training; the folder holds the truth
            log.warning("status of %s not mirrored: %s", run_id, error)
