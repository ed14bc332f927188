"""Who asks the same at the same time shares a reading, and gets none that began before they asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from app.api.application import build_api
from app.api.together import Together
from tunixrt_core.errors import NotFound
from tunixrt_core.util.actors import Actor, acting_as


class Reading:
    """Counts its calls, each of which waits until it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.let_go = threading.Event()

    def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        assert self.let_go.wait(10)
        return number


async def until(true: Callable[[], object]) -> None:
    while not true():
        await asyncio.sleep(0.001)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 10))


def test_who_comes_during_a_reading_shares_the_next_one() -> None:
    async def test() -> None:
        together, reading = Together[int](), Reading()
        first = asyncio.create_task(together.read("run", reading))
        await until(lambda: reading.calls)
        later = [asyncio.create_task(together.read("run", reading)) for _ in range(50)]
        await asyncio.sleep(0.01)
        assert reading.calls == 1
        reading.let_go.set()
        assert (await first, set(await asyncio.gather(*later))) == (1, {2})
        assert await together.read("run", reading) == 3

    run(test())


def test_other_keys_are_read_meanwhile() -> None:
    async def test() -> None:
        together, stuck = Together[int](), Reading()
        waiting = asyncio.create_task(together.read("stuck", stuck))
        await until(lambda: stuck.calls)
        assert await together.read("other", lambda: 7) == 7
        stuck.let_go.set()
        assert await waiting == 1

    run(test())


def test_an_error_reaches_all_who_share_it_and_the_next_reading_is_a_new_one() -> None:
    async def test() -> None:
        together, found = Together[str](), ["is here"]

        def read() -> str:
            if not found:
                raise NotFound("run", "r-0001")
            return found[0]

        found.clear()
        both = await asyncio.gather(*(together.read("run", read) for _ in range(2)), return_exceptions=True)
        assert [type(error) for error in both] == [NotFound, NotFound]
        found.append("is here again")
        assert await together.read("run", read) == "is here again"

    run(test())


def test_who_leaves_takes_no_answer_from_who_waits() -> None:
    async def test() -> None:
        together, reading = Together[int](), Reading()
        leaves, waits = (asyncio.create_task(together.read("run", reading)) for _ in range(2))
        await until(lambda: reading.calls)
        leaves.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaves
        reading.let_go.set()
        assert await waits == 1

    run(test())


def test_users_who_ask_at_the_same_time_are_told_apart() -> None:
    async def test() -> None:
        asked = {}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(build_api(1)), base_url="http://api") as api:
            for actor in (Actor("ana", "API"), Actor("ben", "API", writes=False)):
                with acting_as(actor):
                    asked[actor.name] = [asyncio.create_task(api.get("/me")) for _ in range(3)]
            told = {name: {(await each).text for each in answers} for name, answers in asked.items()}
        assert told == {"ana": {'{"name":"ana","role":"write"}'}, "ben": {'{"name":"ben","role":"read"}'}}

    run(test())
