"""Requests that ask for the same at the same time: the reading of one answers all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

Answer = TypeVar("Answer")


class Together(Generic[Answer]):
    """Reads in threads: one at a time for a key, and who comes meanwhile shares the next one.

    So nobody gets what was read before they asked, and the way into a thread and back, which takes longer than most
    readings, is gone once for all who wait. For the event loop of the server alone.
    """

    def __init__(self) -> None:
        self._reading: dict[Hashable, asyncio.Task[Answer]] = {}
        self._next: dict[Hashable, asyncio.Task[Answer]] = {}

    async def read(self, key: Hashable, read: Callable[[], Answer]) -> Answer:
        """What a call of `read` that begins from now on returns or raises."""
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.create_task(self._read(key, read, self._reading.get(key)))
        # others wait for the same task, which the end of one request must not cancel
        return await asyncio.shield(task)

    async def _read(self, key: Hashable, read: Callable[[], Answer], before: asyncio.Task[Answer] | None) -> Answer:
        if before is not None:
            await asyncio.wait([before])
        self._reading[key] = self._next.pop(key)
        try:
            return await run_in_threadpool(read)
        finally:
            del self._reading[key]
