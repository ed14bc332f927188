"""Background tasks: threads with progress, stop and result."""

from __future__ import annotations

import contextvars
import itertools
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from tunixrt_core.errors import JobFailed, OutputError, ShuttingDown, Stopped, TunixRTError
from tunixrt_core.util.files.space import unwritable
from tunixrt_core.util.latest import Latest

TaskStatus = Literal["waiting", "running", "succeeded", "failed", "stopped"]
Progress = Callable[[str, int, int], None]  # phase, done, total
T = TypeVar("T")
Work = Callable[[Progress, threading.Event], T]  # raises Stopped soon after the event is set

_BROKEN = "It failed with an unexpected error. The server's log holds the details."


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """One task. `done` of `total` are in the unit of its phase; `total` is 0 while unknown.

    `error` is what ended it, `message` its sentence.
    """

    id: str
    kind: str = ""
    title: str = ""
    key: Hashable = None
    status: TaskStatus = "waiting"
    phase: str = ""
    done: int = 0
    total: int = 0
    began_at: float | None = None  # Unix seconds; None while it waits
    ended_at: float | None = None
    result: T | None = None
    error: TunixRTError | None = None
    stop: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)
    ended: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    @property
    def over(self) -> bool:
        return self.status not in ("waiting", "running")

    @property
    def stopping(self) -> bool:
        """A stop was requested, and it has not ended yet."""
        return self.stop.is_set() and not self.over

    @property
    def message(self) -> str:
        return str(self.error or "")

    @property
    def share(self) -> float:
        """Share done, from 0 to 1; 0 if the total is unknown."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def seconds(self) -> float:
        """Wall time since it began to run."""
        return (self.ended_at or time.time()) - self.began_at if self.began_at else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimated from its pace so far; None if there is none."""
        return self.seconds * (1 - self.share) / self.share if self.share else None

    def value(self) -> T:
        """The result of a task that is over. Raises what ended it: Stopped, or another TunixRTError."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # None is a result, too


class Tasks(Generic[T]):
    """The tasks of one kind in this process. Safe to use from several threads.

    The newest `keep` are remembered. At most `at_once` run at the same time, if given; the others wait.
    """

    def __init__(self, kind: str, *, at_once: int | None = None, keep: int = 50) -> None:
        """`kind` names threads and, with its first letter, ids: `build` gives b-0001."""
        self._kind = kind
        self._count = itertools.count(1)
        self._turn: Any = threading.Semaphore(at_once) if at_once else nullcontext()
        self._latest: Latest[Task[T]] = Latest(kind, keep)
        self._lock = threading.RLock()  # a task begins, ends or is stopped
        self._closed = False

    def start(self, work: Work[T], *, key: Hashable = None, kind: str = "", title: str = "") -> Task[T]:
        """Begin a task. A waiting or running one of the same `key` is returned instead, unless it is being stopped.

        `kind` and `title` say what it is about. Raises ShuttingDown after `close`.
        """
        if self._closed:
            raise ShuttingDown(f"The server is shutting down; start the {self._kind} again after it is back.")

        def make() -> Task[T]:
            return Task(f"{self._kind[0]}-{next(self._count):04d}", kind or self._kind, title, key)

        task, is_new = self._latest.add(make, unless=lambda t: key is not None and t.key == key and not t.stopping)
        if is_new:
            name = f"tunixrt-{self._kind}-{task.id}"
            context = contextvars.copy_context()  # it acts for who started it
            threading.Thread(target=context.run, args=(self._run, task, work), name=name, daemon=True).start()
        return task

    def get(self, task_id: str) -> Task[T]:
        """Raises NotFound for one that this process does not know (any more)."""
        return self._latest.get(task_id)

    def find(self, task_id: str) -> Task[T] | None:
        return self._latest.find(task_id)

    def last(self, key: Hashable) -> Task[T] | None:
        """The newest task of this key."""
        return self._latest.last(lambda task: task.key == key)

    def all(self) -> list[Task[T]]:
        """Newest first."""
        return self._latest.all()

    def stop(self, task_id: str) -> Task[T]:
        """Ask a task to stop; one that waits stops at once, one that is over stays as it is. Raises NotFound."""
        with self._lock:
            task = self.get(task_id)
            task.stop.set()
            if task.status == "waiting":
                self._end(task, "stopped", error=Stopped("Stopped before it began."))
        return self.get(task_id)

    def wait(self, task_id: str, timeout: float | None = None) -> Task[T]:
        """The task when it is over, or as it is after `timeout` seconds. Raises NotFound."""
        self.get(task_id).ended.wait(timeout)
        return self.get(task_id)

    def forget(self, key: Hashable) -> None:
        """Forget the tasks of this key that are over."""
        for task in self.all():
            if task.key == key and task.over:
                self._latest.forget(task.id)

    def close(self, timeout: float | None = None) -> None:
        """Ask everything to stop, and wait for it, for each task `timeout` seconds at most."""
        self._closed = True
        under_way = [task for task in self.all() if not task.over]
        for task in under_way:
            self.stop(task.id)
        for task in under_way:
            task.ended.wait(timeout)

    def _run(self, task: Task[T], work: Work[T]) -> None:
        with self._turn:
            with self._lock:
                if task.ended.is_set():
                    return
                self._latest.change(task.id, status="running", began_at=time.time())
            ended: dict[str, Any] = {"status": "failed", "error": JobFailed(_BROKEN)}
            try:
                ended = {"status": "succeeded", "result": work(self._teller(task), task.stop)}
            except Stopped as error:
                ended = {"status": "stopped", "error": error}
            except TunixRTError as error:
                ended = {"status": "failed", "error": error}
            except OSError as error:
                if not (why := unwritable(None, error)):
                    raise
                ended = {"status": "failed", "error": OutputError(why)}
            finally:  # a bug is logged by the thread itself, and must not leave a task that seems to run
                self._end(task, **ended)

    def _teller(self, task: Task[T]) -> Progress:
        return lambda phase, done, total: self._latest.change(task.id, phase=phase, done=done, total=total)

    def _end(self, task: Task[T], status: TaskStatus, **ended: Any) -> None:
        with self._lock:
            self._latest.change(task.id, status=status, ended_at=time.time(), **ended)
            task.ended.set()
