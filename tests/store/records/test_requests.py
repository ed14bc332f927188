"""Request ids in the store: one owner each, the first that asks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.store.conftest import Clock
from tunixrt_core.store.records.requests import KEPT, Claim
from tunixrt_core.store.sql import schema
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.store import Store, open_store

CLAIM = Claim("key", "run", "a" * 64, "1:2:boot")


def test_an_id_is_claimed_once_and_comes_back_as_it_was(store: Store) -> None:
    assert store.requests.get("key") is None
    assert store.requests.claim(CLAIM)
    assert not store.requests.claim(CLAIM)
    store.requests.answer("key", {"run": "r-0001"})
    held = store.requests.get("key")
    assert held is not None
    assert (held.kind, held.asked, held.owner, held.answer) == ("run", "a" * 64, "1:2:boot", {"run": "r-0001"})
    store.requests.forget("key")
    assert store.requests.claim(CLAIM)


def test_one_of_many_at_once_gets_it(store: Store) -> None:
    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(lambda _: store.requests.claim(CLAIM), range(12))) == 1


def test_it_is_taken_over_once(store: Store) -> None:
    store.requests.claim(CLAIM)
    store.requests.answer("key", {"run": "r-0001"})
    seen = store.requests.get("key")
    assert seen is not None
    assert store.requests.take_over(seen, "another")
    assert not store.requests.take_over(seen, "a third")
    now = store.requests.get("key")
    assert now is not None
    assert (now.owner, now.answer) == ("another", None)


def test_an_id_of_long_ago_is_forgotten(any_url: str) -> None:
    clock = Clock()
    with open_store(any_url, clock=clock) as store:
        store.requests.claim(CLAIM)
        clock.now += KEPT - timedelta(minutes=1)
        store.requests.claim(Claim("other", "run", "b" * 64, "1"))
        assert store.requests.get("key") is not None
        clock.now += timedelta(minutes=2)
        store.requests.claim(Claim("third", "run", "b" * 64, "1"))
        assert store.requests.get("key") is None
        assert store.requests.get("other") is not None


@pytest.mark.parametrize("revision", ["0004", "0001"])
def test_its_migration_goes_down_and_up_again(any_url: str, revision: str) -> None:
    with open_store(any_url, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)) as store:
        store.requests.claim(CLAIM)
    database = Database(any_url)
    schema.downgrade(database, revision)
    database.close()
    with open_store(any_url) as store:
        assert store.requests.get("key") is None
        assert store.requests.claim(CLAIM)
