"""Dataset builds in the background: each in a thread of its own, with progress, and cancelled between two rows.

They need no accelerator, so they do not stand in the queue of trainings.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from tunixrt_core.datasets import DatasetVersion
from tunixrt_core.datasets.building import Progress
from tunixrt_core.errors import Cancelled, NotFound, TunixRTError

log = logging.getLogger(__name__)

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
        self._builds: dict[str, Build] = {}
        self._began: dict[str, float] = {}
        self._asked: dict[str, str] = {}
        self._stops: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._count = 0

    def start(self, name: str, work: Work, *, asked: str | None = None) -> Build:
        """Begin a build of the dataset `name`. `work` is given where to tell progress, and the event that ends it.

        One that was `asked` for in the same words and is under way is given back instead.
        """
        with self._lock:
            for build in self._builds.values():
                same = asked is not None and self._asked.get(build.id) == asked
                if same and not build.over and not self._stops[build.id].is_set():
                    return self._timed(build)
            self._count += 1
            build = Build(f"b-{self._count:04d}", name)
            self._builds[build.id] = build
            if asked is not None:
                self._asked[build.id] = asked
            self._began[build.id] = time.monotonic()
            self._stops[build.id] = threading.Event()
            thread = threading.Thread(target=self._run, args=(build.id, work), name=build.id, daemon=True)
            self._threads[build.id] = thread
            self._forget()
        thread.start()
        return build

    def get(self, build_id: str) -> Build:
        """Raises NotFound."""
        if (found := self.find(build_id)) is None:
            raise NotFound("build", build_id, "Builds are known until the server ends.")
        return found

    def find(self, build_id: str) -> Build | None:
        """None for one that this process does not know (any more)."""
        with self._lock:
            known = self._builds.get(build_id)
            return self._timed(known) if known else None

    def all(self) -> list[Build]:
        """Newest first."""
        with self._lock:
            return [self._timed(build) for build in reversed(self._builds.values())]

    def cancel(self, build_id: str) -> Build:
        """Ask a build to end; it does between two rows. One that is over stays as it is. Raises NotFound."""
        build = self.get(build_id)
        self._stops[build.id].set()
        return build

    def wait(self, build_id: str, timeout: float | None = None) -> Build:
        """The build when it is over, or as it is after `timeout` seconds. Raises NotFound."""
        self.get(build_id)
        self._threads[build_id].join(timeout)
        return self.get(build_id)

    def close(self) -> None:
        """Cancel what runs and wait for it."""
        for build in self.all():
            self._stops[build.id].set()
            self._threads[build.id].join()

    def _run(self, build_id: str, work: Work) -> None:
        ended: dict[str, Any] = {"status": "failed", "message": "It broke off. The server's log holds the details."}
        try:
            version = work(lambda *told: self._told(build_id, *told), self._stops[build_id])
            ended = {"status": "succeeded", "version": version.version, "message": ""}
        except Cancelled as error:
            ended = {"status": "cancelled", "message": str(error)}
        except TunixRTError as error:
            ended = {"status": "failed", "message": str(error)}
        finally:  # a bug is logged by the thread itself, and must not leave a build that seems to run
            self._change(build_id, seconds=time.monotonic() - self._began[build_id], **ended)

    def _told(self, build_id: str, phase: str, done: int, total: int) -> None:
        self._change(build_id, phase=phase, done=done, total=total)

    def _change(self, build_id: str, **changes: Any) -> None:
        with self._lock:
            self._builds[build_id] = replace(self._builds[build_id], **changes)

    def _timed(self, build: Build) -> Build:
        return build if build.over else replace(build, seconds=time.monotonic() - self._began[build.id])

    def _forget(self) -> None:
        over = [build.id for build in self._builds.values() if build.over]
        for build_id in over[: max(0, len(over) - _KEPT)]:
            for kept in (self._builds, self._began, self._stops, self._threads):
                del kept[build_id]
            self._asked.pop(build_id, None)
