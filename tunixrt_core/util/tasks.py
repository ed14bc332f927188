"""Work that no page may wait for and that needs no accelerator: a thread a task, told apart by name, with progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from tunixrt_core.errors import Cancelled, TunixRTError

TaskStatus = Literal["running", "succeeded", "failed", "stopped"]
Progress = Callable[[str, int, int], None]
Work = Callable[[Progress, threading.Event], object]
CHECK, MEASURE = "database check", "disk use"  # names of tasks


@dataclass(frozen=True, slots=True)
class Task:
    """How far a task is; `done` of `total` in whatever its phase counts, 0 where that is not known.

    `seconds` is wall time so far, `result` what the work gave back.
    """

    name: str
    began_at: float  # Unix seconds
    status: TaskStatus = "running"
    phase: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    seconds: float = 0.0
    result: object = None

    @property
    def over(self) -> bool:
        return self.status != "running"


class _Entry:
    """A task with its thread; the lock of `Tasks` guards it."""

    def __init__(self, task: Task, target: Callable[[_Entry], None]) -> None:
        self.task = task
        self.stop = threading.Event()
        self._began = time.monotonic()
        self.thread = threading.Thread(target=target, args=(self,), name=task.name, daemon=True)

    def now(self) -> Task:
        return self.task if self.task.over else replace(self.task, seconds=time.monotonic() - self._began)


class Tasks:
    """The tasks of this process: of each name the last one. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._closed = False

    def start(self, name: str, work: Work) -> Task:
        """Begin a task; one of that name that runs already is given back instead."""
        with self._lock:
            known = self._entries.get(name)
            if self._closed or (known and not known.task.over):
                return known.now() if known else Task(name, time.time(), "stopped")
            entry = _Entry(Task(name, time.time()), lambda entry: self._run(entry, work))
            self._entries[name] = entry
            entry.thread.start()
            return entry.now()

    def task(self, name: str) -> Task | None:
        """The last task of that name; None where there was none yet."""
        with self._lock:
            return self._entries[name].now() if name in self._entries else None

    def all(self) -> list[Task]:
        """The oldest first."""
        with self._lock:
            return [entry.now() for entry in self._entries.values()]

    def stop(self, name: str) -> None:
        """Ask a task to end. Nothing happens where it does not run."""
        with self._lock:
            if name in self._entries:
                self._entries[name].stop.set()

    def stopping(self, name: str) -> bool:
        """Whether a task was asked to end."""
        with self._lock:
            return name in self._entries and self._entries[name].stop.is_set()

    def wait(self, name: str, timeout: float | None = None) -> Task | None:
        """The task when it is over, or as it is after `timeout` seconds."""
        with self._lock:
            entry = self._entries.get(name)
        if entry:
            entry.thread.join(timeout)
        return self.task(name)

    def forget(self, name: str) -> None:
        """Leave a task out from now on."""
        with self._lock:
            self._entries.pop(name, None)

    def close(self, timeout: float | None = None) -> None:
        """Ask everything to end, and wait for it, for each task `timeout` seconds at most."""
        with self._lock:
            self._closed = True
            entries = list(self._entries.values())
            for entry in entries:
                entry.stop.set()
        for entry in entries:
            entry.thread.join(timeout)

    def _run(self, entry: _Entry, work: Work) -> None:
        ended: dict[str, Any] = {"status": "failed", "message": "It broke off. The server's log holds the details."}
        try:
            told = work(lambda phase, done, total: self._change(entry, phase=phase, done=done, total=total), entry.stop)
            ended = {"status": "succeeded", "result": told}
        except Cancelled as error:
            ended = {"status": "stopped", "message": str(error)}
        except TunixRTError as error:
            ended = {"status": "failed", "message": str(error)}
        finally:  # a bug is logged by the thread itself, and must not leave a task that seems to run
            self._change(entry, **ended)

    def _change(self, entry: _Entry, **changes: Any) -> None:
        with self._lock:
            entry.task = replace(entry.now(), **changes)
