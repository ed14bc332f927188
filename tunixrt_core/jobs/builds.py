"""Dataset builds in the background: each with its id, progress and result, and cancelled between two rows.

They need no accelerator, so they do not stand in the queue of trainings.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.errors import NotFound
from tunixrt_core.util.tasks import Progress, Task, Tasks

BuildStatus = Literal["running", "succeeded", "failed", "cancelled"]
Work = Callable[[Progress, threading.Event], DatasetVersion]
_KEPT = 50  # builds that are over, for whoever asks late


@dataclass(frozen=True, slots=True)
class Build:
    """One build: what it does, how far it is, and what came of it. `seconds` is wall time so far."""

    id: str
    name: str
    status: BuildStatus = "running"
    phase: str = "reading"
    done: int = 0
    total: int = 0
    version: int | None = None
    message: str = ""
    seconds: float = 0.0

    @property
    def over(self) -> bool:
        return self.status != "running"

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Builds:
    """The builds of this process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks = Tasks()
        self._names: dict[str, str] = {}  # of the datasets, by build id
        self._asked: dict[str, str] = {}
        self._count = 0

    def start(self, name: str, work: Work, *, asked: str | None = None) -> Build:
        """Begin a build of the dataset `name`. `work` is given where to tell progress, and the event that ends it.

        One that was `asked` for in the same words and is under way is given back instead.
        """
        with self._lock:
            for task in self._tasks.all():
                same = asked is not None and self._asked.get(task.name) == asked
                if same and not task.over and not self._tasks.stopping(task.name):
                    return self._build(task)
            self._count += 1
            build_id = f"b-{self._count:04d}"
            self._names[build_id] = name
            if asked is not None:
                self._asked[build_id] = asked
            self._forget()
            return self._build(self._tasks.start(build_id, work))

    def get(self, build_id: str) -> Build:
        """Raises NotFound."""
        if (found := self.find(build_id)) is None:
            raise NotFound("build", build_id, "Builds are known until the server ends.")
        return found

    def find(self, build_id: str) -> Build | None:
        """None for one that this process does not know (any more)."""
        with self._lock:
            task = self._tasks.task(build_id)
            return self._build(task) if task else None

    def all(self) -> list[Build]:
        """Newest first."""
        with self._lock:
            return [self._build(task) for task in reversed(self._tasks.all())]

    def cancel(self, build_id: str) -> Build:
        """Ask a build to end; it does between two rows. One that is over stays as it is. Raises NotFound."""
        build = self.get(build_id)
        self._tasks.stop(build_id)
        return build

    def wait(self, build_id: str, timeout: float | None = None) -> Build:
        """The build when it is over, or as it is after `timeout` seconds. Raises NotFound."""
        self.get(build_id)
        self._tasks.wait(build_id, timeout)
        return self.get(build_id)

    def close(self) -> None:
        """Cancel what runs and wait for it."""
        self._tasks.close()

    def _build(self, task: Task) -> Build:
        return Build(
            task.name,
            self._names[task.name],
            "cancelled" if task.status == "stopped" else task.status,
            task.phase or "reading",
            task.done,
            task.total,
            task.result.version if isinstance(task.result, DatasetVersion) else None,
            task.message,
            task.seconds,
        )

    def _forget(self) -> None:
        over = [task.name for task in self._tasks.all() if task.over]
        for build_id in over[: max(0, len(over) - _KEPT)]:
            self._tasks.forget(build_id)
            del self._names[build_id]
            self._asked.pop(build_id, None)
