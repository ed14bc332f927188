"""Requests that ask for the same at the same time: the reading of one answers all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Generic, TypeVar, get_type_hints

from fastapi import Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from tunixrt_core.util.actors import current_actor

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


def told_together(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The endpoint of a read: with its answer as JSON if it is the model that is described, made once for all who wait.

    A model was checked when it was made. FastAPI would check it once more, for which it would wait for a thread again.
    """
    described = get_type_hints(endpoint).get("return")
    if iscoroutinefunction(endpoint) or not _is_model(described):
        return endpoint
    answers = Together[Any]()

    @wraps(endpoint)
    async def told(**given: Any) -> Any:
        def read() -> Any:
            answer = endpoint(**given)
            return answer.model_dump_json(by_alias=True) if type(answer) is described else answer

        asked = (tuple(value) if isinstance(value, list) else value for value in given.values())
        answer = await answers.read((current_actor(), *asked), read)
        return Response(answer, media_type="application/json") if isinstance(answer, str) else answer

    return told


def _is_model(described: object) -> bool:
    return isinstance(described, type) and issubclass(described, BaseModel)
