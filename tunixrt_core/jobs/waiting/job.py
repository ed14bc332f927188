"""The jobs of this process, in their order, and the queue as it is shown."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from tunixrt_core.errors import NotFound, Stopped, Superseded, TunixRTError
from tunixrt_core.jobs.accelerator import Holder
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.util.files.space import unwritable

if TYPE_CHECKING:
    from tunixrt_core.jobs.spec import Executor, Follower, JobSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job in the queue. `id` is that of the run to train, or of the evaluation."""

    id: str
    run: str
    kind: str  # train, evaluate, export, dry run or playground
    here: bool = True  # in the queue of this process, which orders it


@dataclass(frozen=True, slots=True)
class Queue:
    """The holder of the accelerator, in this process or another one, and the jobs that wait: those of this process in
    order, then those at other servers of the home.
    """

    holder: Holder | None
    waiting: tuple[WaitingJob, ...]


@dataclass(slots=True)
class Job:
    """A job of this process that waits or runs."""

    spec: JobSpec
    follower: Follower
    losses: int = 0  # workers that it has lost
    stop: StopRequest = field(default_factory=StopRequest)

    @property
    def about(self) -> WaitingJob:
        return WaitingJob(self.spec.id, self.spec.run, self.spec.kind)

    def show_waiting(self) -> None:
        """Show in its folder that it waits for this process, which is alive."""
        try:
            self.follower.beat(self.spec)
        except (TunixRTError, OSError, ValueError) as error:  # it is told when the job begins
            log.warning("%s waits, which its folder does not show: %s", self.spec.id, error)

    def do(self, executor: Executor) -> str:
        """Do it to its end, which its follower is told. What became of its worker, where that was lost; else empty."""
        from tunixrt_core.jobs.spec import WorkerLost  # any process that has made the job has imported it

        try:
            executor.run(self.spec, stop=self.stop, tell=partial(self.follower.told, self.spec))
        except WorkerLost as error:
            return str(error)
        except Superseded as error:
            log.warning("%s", error)  # its folder is another process's
        except Stopped:
            self.follower.dropped(self.spec)  # before it began
        except TunixRTError as error:
            self.follower.failed(self.spec, str(error))
        except Exception as error:  # the worker's outermost frame: one bad job must not end the queue
            log.exception("job for %s failed", self.spec.run)
            self.follower.failed(self.spec, unwritable(None, error) or f"{type(error).__name__}: {error}")
        return ""


def no_job(job_id: str) -> NotFound:
    """What to raise where no job of this id waits."""
    return NotFound("job in the queue", job_id, "It may have begun, or was removed.")


class Line:
    """The jobs that wait, in order, and those that run. `changed` guards both and tells of changes.

    Pages and API threads read them while the workers take jobs.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: deque[Job] = deque()
        self.running: dict[str, tuple[Job, Holder]] = {}

    def seen(self) -> tuple[list[Job], list[tuple[Job, Holder]]]:
        """What waits and what runs, at one moment."""
        with self.changed:
            return list(self.waiting), list(self.running.values())

    def ids(self) -> frozenset[str]:
        """The ids of all jobs."""
        with self.changed:
            return frozenset({job.spec.id for job in self.waiting} | self.running.keys())

    def waits(self, job: Job) -> bool:
        with self.changed:
            return job in self.waiting

    def pull(self, meant: Callable[[WaitingJob], bool]) -> list[Job]:
        """Take the jobs in question that wait out of the line."""
        with self.changed:
            pulled = [job for job in self.waiting if meant(job.about)]
            self.drop(pulled)
        return pulled

    def end(self, meant: Callable[[WaitingJob], bool]) -> tuple[list[Job], list[Job]]:
        """Take the jobs in question that wait out of the line. Those, and those that run."""
        with self.changed:
            return self.pull(meant), [job for job, _ in self.running.values() if meant(job.about)]

    def drop(self, gone: Sequence[Job]) -> None:
        """Forget jobs that wait."""
        with self.changed:
            self.waiting = deque(job for job in self.waiting if job not in gone)

    def move(self, job_id: str, by: int) -> list[str] | None:
        """Move a job that waits forward (-1) or back (+1). The new order; None where it does not wait."""
        with self.changed:
            job = next((job for job in self.waiting if job.spec.id == job_id), None)
            if job is None:
                return None
            place = self.waiting.index(job)
            self.waiting.remove(job)
            self.waiting.insert(max(0, place + by), job)
            return [each.spec.id for each in self.waiting]
