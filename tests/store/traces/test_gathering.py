"""Traces that arrive one by one share transactions, and each caller learns what became of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

import tunixrt_core.store.traces.gathering as gathering_module
from tunixrt_core.errors import StoreError
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store
from tunixrt_core.store.traces.gathering import Gathering
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace


def trace(n: int) -> Trace:
    return Trace(f"prompt {n}", (), "1")


def test_each_of_many_threads_learns_whether_its_trace_was_new(store: Store) -> None:
    with ThreadPoolExecutor(16) as pool:
        new = list(pool.map(lambda n: store.traces.insert_one(trace(n % 150)), range(300)))
    assert sum(new) == 150
    assert store.traces.count(TraceQuery()) == 150
    assert store.traces.insert_one(trace(0)) is False


class Held:
    """A transaction that waits until it may end, and notes how many traces each one had."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.sizes: list[int] = []

    def __call__(self, items: Sequence[Trace | ScoredTrace]) -> list[bool]:
        self.sizes.append(len(items))
        self.entered.set()
        self.go_on.wait(10)
        return [True] * len(items)


def test_those_that_wait_share_the_next_transaction() -> None:
    held = Held()
    gathering = Gathering(held)
    threads = [threading.Thread(target=gathering.add, args=(trace(n),)) for n in range(9)]
    threads[0].start()
    assert held.entered.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(gathering._waiting) < 8:
        threading.Event().wait(0.01)
    held.go_on.set()
    for thread in threads:
        thread.join()
    assert held.sizes == [1, 8]


def test_a_failure_is_told_to_all_that_it_hit_and_the_next_goes_on() -> None:
    fail = [True]

    def insert(items: Sequence[Trace | ScoredTrace]) -> list[bool]:
        if fail.pop() if fail else False:
            raise StoreError("the disk is full")
        return [True] * len(items)

    gathering = Gathering(insert)
    with pytest.raises(StoreError, match="the disk is full"):
        gathering.add(trace(1))
    assert gathering.add(trace(2)) is True


def test_a_bug_in_one_transaction_leaves_nobody_waiting() -> None:
    def insert(items: Sequence[Trace | ScoredTrace]) -> list[bool]:
        raise ZeroDivisionError

    gathering = Gathering(insert)
    with pytest.raises(ZeroDivisionError):
        gathering.add(trace(1))
    assert gathering._waiting == []


def test_those_that_were_just_answered_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering_module, "_PATIENCE", 20.0)
    held = Held()
    gathering = Gathering(held)

    def bring(times: int) -> None:
        for n in range(times):
            gathering.add(trace(n))

    # the first writes once alone, and has one more to bring
    threads = [threading.Thread(target=bring, args=(6 if n == 0 else 5,)) for n in range(4)]
    threads[0].start()
    assert held.entered.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(gathering._waiting) < 3:
        threading.Event().wait(0.01)
    held.go_on.set()
    for thread in threads:
        thread.join()
    assert held.sizes == [1, 4, 4, 4, 4, 4]
