"""Slow things that pages ask for: each made once, in one thread of this process, and kept for all sessions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

PATIENCE = 0.3  # seconds: what is done by then needs no progress bar
_KEPT = 16

T = TypeVar("T")
Tell = Callable[[int, int], None]


def over_within(future: Future[Any], seconds: float) -> bool:
    """Whether it is over, cancelled or failed too, now or within this time."""
    try:
        future.exception(seconds)
    except TimeoutError:
        return False
    except CancelledError:
        pass
    return True


@dataclass(slots=True)
class DeskJob(Generic[T]):
    """One thing on its way. `done` and `total` count rows."""

    future: Future[T] = field(default_factory=Future)
    done: int = 0
    total: int = 0

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0

    def tell(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it is over, now or within this time."""
        return over_within(self.future, PATIENCE if seconds is None else seconds)


class Desk(Generic[T]):
    """Asked twice for the same thing it makes it once. One that is not begun gives way to a newer one."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"tunixrt-{name}")
        self._lock = threading.Lock()  # pages of several sessions ask at once
        self._jobs: OrderedDict[Hashable, DeskJob[T]] = OrderedDict()

    def ask(self, key: Hashable, make: Callable[[Tell], T]) -> DeskJob[T]:
        with self._lock:
            known = self._jobs.get(key)
            if known is not None and not known.future.cancelled():
                self._jobs.move_to_end(key)
                return known
            for job in self._jobs.values():
                job.future.cancel()  # has no effect on one that runs or is over
            job = self._jobs[key] = DeskJob[T]()
            self._jobs.move_to_end(key)
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)
            job.future = self._pool.submit(make, job.tell)
        return job

    def forget(self, key: Hashable) -> None:
        """Make it anew when next asked."""
        with self._lock:
            self._jobs.pop(key, None)
