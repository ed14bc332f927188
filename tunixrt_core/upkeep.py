"""Work on the home that no page may wait for: one thread a task, told apart by name, with progress and a stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from tunixrt_core.errors import Cancelled, TunixRTError

TaskStatus = Literal["running", "succeeded", "failed", "stopped"]
Progress = Callable[[str, int, int], None]
Work = Callable[[Progress, threading.Event], None]
CHECK, MEASURE = "database check", "disk use"  # names of tasks
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Task:
    """How far a task is; `done` of `total` in whatever its phase counts, 0 where that is not known."""

    name: str
    began_at: float  # Unix seconds
    status: TaskStatus = "running"
    phase: str = ""
    done: int = 0
    total: int = 0
    message: str = ""

    @property
    def over(self) -> bool:
        return self.status != "running"


class Upkeep:
    """The tasks of this process: of each name the last one. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}
        self._stops: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._closed = False

    def start(self, name: str, work: Work) -> Task:
        """Begin a task; one of that name that runs already is given back instead."""
        with self._lock:
            known = self._tasks.get(name)
            if self._closed or (known and not known.over):
                return known or Task(name, time.time(), "stopped")
            self._tasks[name] = Task(name, time.time())
            self._stops[name] = threading.Event()
            self._threads[name] = threading.Thread(target=self._run, args=(name, work), name=name, daemon=True)
            self._threads[name].start()
            return self._tasks[name]

    def task(self, name: str) -> Task | None:
        """The last task of that name; None where there was none yet."""
        with self._lock:
            return self._tasks.get(name)

    def stop(self, name: str) -> None:
        """Ask a task to end. Nothing happens where it does not run."""
        with self._lock:
            if name in self._stops:
                self._stops[name].set()

    def wait(self, name: str, timeout: float | None = None) -> Task | None:
        """The task when it is over, or as it is after `timeout` seconds."""
        with self._lock:
            thread = self._threads.get(name)
        if thread:
            thread.join(timeout)
        return self.task(name)

    def close(self) -> None:
        """Ask everything to end and wait a little for it."""
        with self._lock:
            self._closed = True
            threads = list(self._threads.values())
            for stop in self._stops.values():
                stop.set()
        for thread in threads:
            thread.join(_CLOSE_SECONDS)

    def _run(self, name: str, work: Work) -> None:
        ended: dict[str, Any] = {"status": "failed", "message": "It broke off. The server's log holds the details."}
        try:
            work(lambda phase, done, total: self._change(name, phase=phase, done=done, total=total), self._stops[name])
            ended = {"status": "succeeded", "message": ""}
        except Cancelled as error:
            ended = {"status": "stopped", "message": str(error)}
        except TunixRTError as error:
            ended = {"status": "failed", "message": str(error)}
        finally:  # a bug is logged by the thread itself, and must not leave a task that seems to run
            self._change(name, **ended)

    def _change(self, name: str, **changes: Any) -> None:
        with self._lock:
            self._tasks[name] = replace(self._tasks[name], **changes)
