"""Wrong tokens are logged with their address, and answered later and later; the right one is never late."""

from __future__ import annotations

import asyncio
import logging

import pytest

from app.server.gate.attempts import FIRST_DELAY, LONGEST_DELAY, Attempts


def test_each_wrong_token_is_a_line_with_its_address(caplog: pytest.LogCaptureFixture) -> None:
    attempts = Attempts()
    with caplog.at_level(logging.WARNING):
        asyncio.run(attempts.wrong("10.0.0.7"))
        asyncio.run(attempts.wrong("10.0.0.7"))
    assert "Wrong access token from 10.0.0.7 (2 so far)." in caplog.text


def test_the_delay_of_an_address_grows_to_a_limit_and_ends_with_the_right_token() -> None:
    async def guess() -> list[float]:
        waits = []
        for _ in range(12):
            waiting = asyncio.create_task(attempts.wrong("a"))
            await asyncio.sleep(0)  # counted; not waited for
            waits.append(attempts.delay("a"))
            waiting.cancel()
        return waits

    attempts = Attempts()
    delays = asyncio.run(guess())
    assert delays[:5] == [0.0, 0.0, 0.0, FIRST_DELAY, 2 * FIRST_DELAY]
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY
    assert attempts.delay("b") == 0.0
    attempts.right("a")
    assert attempts.delay("a") == 0.0
