"""The queue as it is shown, and a job in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tunixrt_core.jobs.accelerator import Holder
from tunixrt_core.training.stop import StopRequest

if TYPE_CHECKING:
    from tunixrt_core.jobs.spec import Follower, JobSpec


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
class Job:
    """A job of this process that waits or runs."""

    spec: JobSpec
    follower: Follower
    losses: int = 0  # workers that it has lost
    stop: StopRequest = field(default_factory=StopRequest)

    @property
    def about(self) -> WaitingJob:
        return WaitingJob(self.spec.id, self.spec.run, self.spec.kind)
