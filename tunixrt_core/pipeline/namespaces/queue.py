"""The accelerator's queue: who holds it and what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunixrt_core.jobs.queue import JobManager
    from tunixrt_core.jobs.waiting.job import Queue


class AcceleratorQueue:
    """The accelerator's queue."""

    def __init__(self, jobs: JobManager) -> None:
        self._jobs = jobs

    def state(self) -> Queue:
        """The holder of the accelerator, in this process or another one, and the waiting jobs, in order."""
        return self._jobs.queue()

    def several(self) -> bool:
        """Whether a run may choose how many processes train it."""
        return self._jobs.executor.several

    def remove(self, job_id: str) -> None:
        """Remove a job from the queue. Raises NotFound if it is not waiting."""
        self._jobs.remove(job_id)

    def move(self, job_id: str, by: int) -> None:
        """Move a waiting job forward (-1) or back (1). Raises NotFound if it is not waiting, Conflict if elsewhere."""
        self._jobs.move(job_id, by)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the queue is empty; False on timeout. For scripts."""
        return self._jobs.wait(timeout)
