"""Access tokens in the store: one for a name, also where two processes make it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tunixrt_core.errors import Conflict, NotFound
from tunixrt_core.store.store import Store


def test_a_token_comes_back_as_it_was_and_is_revoked_once(store: Store) -> None:
    made = store.tokens.add("ana", "read", "a" * 64, "root")
    assert store.tokens.all() == [made]
    store.tokens.revoke("ana")
    assert store.tokens.all()[0].revoked_at is not None
    with pytest.raises(NotFound):
        store.tokens.revoke("ana")


def test_one_of_many_at_once_gets_the_name(store: Store) -> None:
    def add(number: int) -> bool:
        try:
            store.tokens.add("ana", "read", f"{number:064}", "root")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, range(8))) == 1
