"""The queue of jobs, and the threads that do them or wait for them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from tunixrt_core.errors import ShuttingDown
from tunixrt_core.jobs.accelerator import Accelerator, Hold, Holder
from tunixrt_core.jobs.waiting.job import Job, Line, Queue, WaitingJob, no_job
from tunixrt_core.util.once import made_once
from tunixrt_core.util.owners import Heartbeat

if TYPE_CHECKING:
    from tunixrt_core.evaluation.questions.execution import LoadedModels
    from tunixrt_core.jobs.kinds.trainings import RunRecords, Trainings
    from tunixrt_core.jobs.spec import Executor, Follower, JobSpec
    from tunixrt_core.jobs.waiting.left import Known
    from tunixrt_core.jobs.waiting.shared import SharedQueue
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.runs.folder import RunDir
    from tunixrt_core.training.backend import Backend

log = logging.getLogger(__name__)

_KEPT = {"train", "evaluate", "export"}  # kinds of jobs that wait on when their server ends
_LOSSES = 3  # workers that a job may lose before it is given up
_LOOK_SECONDS = 0.5  # between two checks of an accelerator that another process holds


class JobManager:
    """The queue and its worker threads, which start with the first job and end with the process.

    With an `accelerator`, a job that needs it also waits until no other process of the same home holds it. `webhook` is
    the address that gets the alerts and ends of runs. `elsewhere` makes another executor around that of this process.
    `shared` is the queue of several servers of one home.
    """

    def __init__(
        self,
        runs: RunRecords,
        backend: Backend,
        accelerator: Accelerator | None = None,
        *,
        webhook: str | None = None,
        elsewhere: Callable[[Executor], Executor] | None = None,
        shared: SharedQueue | None = None,
    ) -> None:
        self.backend = backend
        self._webhook = webhook
        self._elsewhere = elsewhere
        self._shared = shared
        self._runs = runs
        self._line = Line()
        # held while the folder of a waiting job is written: pages would wait for the line where the disk hangs
        self._folders = threading.Lock()
        # held from the shared queue to this one, so that a job of this server is not taken as that of another one
        self._sharing = threading.RLock()
        self._accelerator = accelerator
        self._workers: list[threading.Thread] = []
        self._heartbeats: list[Heartbeat] = []
        self._serves = False
        self._closed = False

    @made_once
    def models(self) -> LoadedModels:
        """The models that questions loaded in this process."""
        from tunixrt_core.evaluation.questions.execution import LoadedModels

        return LoadedModels(self.backend)

    def left(self) -> Sequence[JobSpec]:
        """Jobs that the last server of this home left to workers elsewhere; to be submitted again as they are."""
        return self.executor.left() if self._elsewhere else ()

    @made_once
    def trainings(self) -> Trainings:
        from tunixrt_core.jobs.kinds.trainings import Trainings

        return Trainings(self._runs)

    @made_once
    def executor(self) -> Executor:
        """What does the jobs: this process, or a cluster."""
        from tunixrt_core.jobs.work import Local

        here = Local(self.backend, self.models, self._webhook)
        return self._elsewhere(here) if self._elsewhere else here

    def submit_training(self, run_id: str, manifest: RunManifest, folder: RunDir, **asked: Any) -> None:
        """Queue a run, with the options of `training`."""
        from tunixrt_core.jobs.kinds.trainings import training

        self.submit(training(run_id, manifest, folder, **asked), self.trainings)

    def submit(self, spec: JobSpec, follower: Follower) -> None:
        """Queue a job. The follower gets its news, its error, or that it left the queue before it began."""
        with self._sharing:
            self._require_open()
            if self._shared is None or self._shared.add(spec):
                self._enqueue(spec, follower)

    def _require_open(self) -> None:
        if self._closed:
            raise ShuttingDown("The server is shutting down; start the run again after it is back.")

    def _enqueue(self, spec: JobSpec, follower: Follower) -> None:
        executor = self.executor  # made before the lock, as it imports what does jobs
        with self._line.changed:
            self._require_open()
            self._line.waiting.append(Job(spec, follower))
            if not self._workers:
                self._begin(executor.at_once)
            self._line.changed.notify_all()

    def _begin(self, workers: int) -> None:
        for number in range(workers):
            worker = threading.Thread(target=self._work, name=f"tunixrt-worker-{number}", daemon=True)
            self._workers.append(worker)
            worker.start()
        self._live()

    def _live(self) -> None:
        if not self._heartbeats:
            self._heartbeats.append(Heartbeat(self._beat))
            if self._shared:
                self._heartbeats.append(Heartbeat(partial(self._exchange, self._shared), self._shared.look_seconds))

    @contextmanager
    def sharing(self, follower_of: Callable[[JobSpec], Follower]) -> Iterator[Known]:
        """From now on this is a server, which also does jobs of other servers of its home. Raises StoreError.

        Within the block it queues again what the last server left, before it exchanges jobs with others.
        """
        from tunixrt_core.jobs.waiting.left import Known

        self._serves = True
        if self._shared is None:
            yield Known(set(), [])
            return
        with self._sharing:
            yield self._shared.begin(follower_of)
            self._shared.settle()
        self._exchange(self._shared)
        self._live()

    def stop(self, run_id: str, why: str = "") -> bool:
        """Stop this run's running job and drop its waiting ones. False if there was none."""
        return self._stop(lambda about: about.run == run_id, why) or self._withdraw(run_id)

    def stop_job(self, job_id: str) -> bool:
        """Stop one job, or drop it if it waits. False if it is missing."""
        return self._stop(lambda about: about.id == job_id, "") or self._withdraw(job_id)

    def _stop(self, meant: Callable[[WaitingJob], bool], why: str) -> bool:
        waiting, running = self._line.end(meant)
        dropped = [self._drop(job) for job in waiting]
        for job in running:
            job.stop.ask(why)
        return any(dropped) or bool(running)

    def _withdraw(self, job_id: str) -> bool:
        return bool(self._shared and self._shared.withdraw(job_id))

    def remove(self, job_id: str) -> None:
        """Remove one job from the queue, also of another server. Raises NotFound if none of that id waits."""
        dropped = [self._drop(job) for job in self._line.pull(lambda about: about.id == job_id)]
        if not (any(dropped) if dropped else self._withdraw(job_id)):
            raise no_job(job_id)

    def move(self, job_id: str, by: int) -> None:
        """Move a job that waits here forward (-1) or back (+1), within the queue. Raises NotFound, Conflict."""
        if (order := self._line.move(job_id, by)) is None:
            raise (self._shared and self._shared.why_not_moved(job_id)) or no_job(job_id)
        if self._shared:
            self._shared.arrange(order)

    def queue(self) -> Queue:
        """The holder of the accelerator, and the waiting jobs: those of this process, then those of other servers."""
        waiting, running = self._line.seen()
        here = {job.spec.id for job in waiting} | {job.spec.id for job, _ in running}
        # before the holder: what begins at another server meanwhile is shown twice rather than not at all
        others = self._shared.others(here) if self._shared else ()
        held = self._accelerator.holder() if self._accelerator and not running else None
        return Queue(running[0][1] if running else held, (*(job.about for job in waiting), *others))

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing runs or waits; False on timeout. For scripts and tests."""
        with self._line.changed:
            return self._line.changed.wait_for(lambda: not self._line.waiting and not self._line.running, timeout)

    def close(self, timeout: float = 30.0) -> None:
        """Stop the running job, and wait for the worker, so that the last checkpoint is complete.

        What waits at a server is left to the next one, but for a dry run or a question, for which somebody waits.
        """
        with self._line.changed:
            self._closed = True
            waiting, running = self._line.end(lambda about: True)
            self._line.changed.notify_all()
        left = [job.spec for job in waiting if self._serves and job.spec.kind in _KEPT]
        if left:
            self._left()
        for job in waiting:
            if job.spec not in left:
                self._drop(job)
        if self._shared:
            self._shared.leave()
        if self._workers:
            self.executor.close()
        for job in running:
            job.stop.ask("Stopped because the server ended; resume continues from the checkpoint.")
        for worker in self._workers:
            worker.join(timeout)
        for heartbeat in self._heartbeats:
            heartbeat.end()
        if self._shared:
            self._shared.hand_over(left)

    def _beat(self) -> None:
        for job in self._line.seen()[0]:
            with self._folders:
                if self._line.waits(job):
                    job.show_waiting()

    def _exchange(self, shared: SharedQueue) -> None:
        """Leave other servers what they have taken, and take what waits or was left there."""
        waiting, _ = self._line.seen()
        gone = shared.exchange(job.spec for job in waiting)
        self._line.drop([job for job in waiting if job.spec.id in gone])
        with self._sharing, suppress(ShuttingDown):  # another server finds it
            here = self._line.ids()
            free = not here and not (self._accelerator and self._accelerator.holder())
            for adopted in shared.adopt(here, free=free):
                self._enqueue(*adopted)

    def _left(self) -> None:
        """A job was taken from the queue: afterwards its folder is not written any more as that of one that waits."""
        with self._folders:
            pass

    def _drop(self, job: Job) -> bool:
        """Tell that a job left the queue; False where another server has taken it."""
        self._left()
        if self._shared and not self._shared.is_ours(job.spec):
            return False
        job.follower.dropped(job.spec)
        if self._shared:
            self._shared.end(job.spec)
        return True

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            job, held = taken
            self._left()
            if self._shared is None or self._shared.claim(job.spec, lambda: self._closed):
                self._do(job)
            if held:
                held.release()
            with self._line.changed:
                del self._line.running[job.spec.id]
                self._line.changed.notify_all()

    def _do(self, job: Job) -> None:
        if why := job.do(self.executor):
            self._lose(job, why)
        if self._shared:
            self._shared.end(job.spec)

    def _lose(self, job: Job, why: str) -> None:
        """The worker of a job was lost: it is the next one of the queue, unless it has lost several or is to stop."""
        again = job.losses < _LOSSES and not job.stop.is_set()
        following = job.follower.lost(job.spec, why, again=again)
        if following is not None:
            with self._line.changed:
                self._line.waiting.appendleft(Job(following, job.follower, job.losses + 1))

    def _next(self) -> tuple[Job, Hold | None] | None:
        """The first job, once the accelerator is held for it; None after the last one."""
        line = self._line
        with line.changed:
            while True:
                line.changed.wait_for(lambda: line.waiting or self._closed)
                if self._closed:
                    return None
                job = line.waiting[0]
                needed = self._accelerator if self.executor.takes_accelerator(job.spec) else None
                held = needed.take(job.spec.run, job.spec.kind) if needed else None
                if held or needed is None:
                    line.waiting.popleft()
                    owner = self.executor.owner(job.spec)
                    holder = Holder(job.spec.run, job.spec.kind, time.time(), owner)
                    line.running[job.spec.id] = job, holder
                    return job, held
                line.changed.wait(_LOOK_SECONDS)  # another process holds it; the line may change meanwhile
