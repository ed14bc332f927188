"""The same request id starts its work once, over threads, failures, and processes that die."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.databases import empty_database
from tunixrt_core.errors import Busy, Conflict, RequestReused
from tunixrt_core.jobs.requests import Requests
from tunixrt_core.store.records.requests import Claim
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.util.owners import this_owner


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(empty_database(tmp_path / "store.db")) as opened:
        yield opened


class Made:
    """Counts what was started."""

    def __init__(self) -> None:
        self.count = 0
        self.known = True

    def __call__(self) -> int:
        self.count += 1
        return self.count

    def find(self, kept: Mapping[str, Any]) -> int | None:
        return int(kept["number"]) if self.known else None


def ask(
    requests: Requests, made: Made, id: str | None = "key", start: Callable[[], int] | None = None, **asked: Any
) -> int:
    kind = asked.pop("kind", "run")
    return requests.once(id, kind, asked, start or made, note=lambda number: {"number": number}, find=made.find)


def test_the_same_request_is_started_once_and_answered_alike(store: Store) -> None:
    made = Made()
    assert [ask(Requests(store.requests), made, value=1) for _ in range(3)] == [1, 1, 1]
    assert made.count == 1


def test_without_an_id_every_request_is_started(store: Store) -> None:
    made = Made()
    assert [ask(Requests(store.requests), made, None) for _ in range(3)] == [1, 2, 3]


def test_twenty_at_once_start_one(store: Store) -> None:
    made, requests, begin = Made(), Requests(store.requests), threading.Barrier(20)

    def slow() -> int:
        threading.Event().wait(0.3)
        return made()

    def call(_: int) -> int:
        begin.wait()
        return ask(requests, made, start=slow)

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(call, range(20))) == [1] * 20
    assert made.count == 1


@pytest.mark.parametrize(("again", "said"), [({"value": 2}, "other values"), ({"kind": "export"}, "run, now export")])
def test_another_request_under_a_used_id_is_refused(store: Store, again: dict[str, Any], said: str) -> None:
    made, requests = Made(), Requests(store.requests)
    ask(requests, made, value=1)
    with pytest.raises(RequestReused, match=said):
        ask(requests, made, **({"value": 1} | again))
    assert made.count == 1


def test_a_start_that_fails_gives_its_id_back(store: Store) -> None:
    made, requests = Made(), Requests(store.requests)

    def fail() -> int:
        raise Conflict("not now")

    with pytest.raises(Conflict, match="not now"):
        ask(requests, made, start=fail)
    assert not requests.used("key")
    assert ask(requests, made, value="another, as the first came to nothing") == 1


def test_who_waits_for_a_start_that_fails_starts_it_itself(store: Store) -> None:
    made, requests, began, go = Made(), Requests(store.requests), threading.Event(), threading.Event()

    def fail() -> int:
        began.set()
        go.wait(10)
        raise Conflict("not now")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, requests, made, "key", fail)
        assert began.wait(10)
        second = pool.submit(ask, requests, made)
        go.set()
        assert second.result(10) == 1
        assert isinstance(first.exception(10), Conflict)


def test_what_is_forgotten_is_started_anew(store: Store) -> None:
    made, requests = Made(), Requests(store.requests)
    assert ask(requests, made) == 1
    made.known = False
    assert ask(requests, made) == 2
    made.known = True
    assert ask(requests, made) == 2


def test_a_request_that_a_dead_process_left_unanswered_is_taken_over(store: Store) -> None:
    made, requests = Made(), Requests(store.requests)
    ask(requests, made)
    held = store.requests.get("key")
    assert held is not None
    store.requests.forget("key")
    store.requests.claim(Claim("key", "run", held.asked, "1:0:gone"))
    assert ask(requests, made) == 2


def test_a_request_of_another_machine_is_taken_over_after_a_minute(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, requests = Made(), Requests(store.requests, patience=0.1)
    ask(requests, made)
    held = store.requests.get("key")
    assert held is not None
    store.requests.forget("key")
    store.requests.claim(Claim("key", "run", held.asked, "pid:4711:123:another-boot:another-machine"))
    with pytest.raises(Busy, match="is not done yet"):
        ask(requests, made)
    monkeypatch.setattr("tunixrt_core.util.owners.LOST_SECONDS", 0.0)
    assert ask(requests, made) == 2


def test_a_request_that_a_living_process_works_on_is_a_conflict_after_a_while(store: Store) -> None:
    made = Made()
    ask(Requests(store.requests), made)
    held = store.requests.get("key")
    assert held is not None
    store.requests.forget("key")
    store.requests.claim(Claim("key", "run", held.asked, this_owner()))
    with pytest.raises(Busy, match="is not done yet"):
        ask(Requests(store.requests, patience=0.1), made)
    assert made.count == 1
