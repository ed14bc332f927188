"""Worker processes: what hangs, crashes or swallows the memory costs one row, really killed."""

from __future__ import annotations

import threading
import time

import pytest

from tunixrt_core.errors import TunixRTError
from tunixrt_core.traces.answers.pool import VerifyPool
from tunixrt_core.util.processes.identity import process_alive

PLUG = "tests.datasets.gates.plugs:misbehave"


def words(*given: str, seconds: float = 1.0, workers: int = 1, megabytes: int = 256) -> list[str]:
    pool = VerifyPool(target=PLUG, workers=workers, seconds=seconds, megabytes=megabytes)
    try:
        return list(pool.judge((one, "") for one in given))
    finally:
        pool.close()


@pytest.mark.parametrize("given", ["loop", "sleep"])
def test_an_endless_row_is_killed_and_the_next_one_is_judged(given: str) -> None:
    began = time.monotonic()
    assert words("fine", given, "fine") == ["right", "timeout", "right"]
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("given", ["die", "raise"])
def test_a_crash_costs_one_row(given: str) -> None:
    assert words("fine", given, "fine") == ["right", "crash", "right"]


def test_a_row_that_swallows_memory_is_ended_and_named() -> None:
    assert words("fine", "eat", "fine", seconds=60) == ["right", "memory", "right"]


def test_what_is_printed_is_no_answer() -> None:
    assert words("print", "fine") == ["right", "right"]


def test_answers_come_in_order_from_several_workers() -> None:
    assert words(*["fine", "loop", "fine", "die"] * 3, workers=3) == ["right", "timeout", "right", "crash"] * 3


def test_one_process_serves_many_rows_and_is_gone_after_close() -> None:
    pool = VerifyPool(target=PLUG, workers=1)
    first, second = pool.judge([("who", ""), ("who", "")])
    pool.close()
    assert first == second
    assert not process_alive(f"{first.split()[1]}::")


def test_close_ends_a_row_that_hangs() -> None:
    before = verifiers()
    pool = VerifyPool(target=PLUG, workers=1, seconds=600)
    future = pool.submit("fine", "")
    assert future.result() == "right"
    hanging = pool.submit("loop", "")
    time.sleep(0.3)
    began = time.monotonic()
    pool.close()
    assert hanging.result() == "crash"
    assert time.monotonic() - began < 10
    assert verifiers() == before


def verifiers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("verify")}


def test_a_worker_that_does_not_start_is_a_sentence() -> None:
    pool = VerifyPool(target="tests.datasets.gates.plugs:nothing_of_that_name", workers=1)
    with pytest.raises(TunixRTError, match="does not start"):
        list(pool.judge([("a", "b")]))
    pool.close()
