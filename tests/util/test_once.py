"""An attribute that is made at its first use is made once, for all that ask."""

from __future__ import annotations

import threading

from tunixrt_core.util.once import made_once


class Home:
    """Counts what is made of it."""

    def __init__(self) -> None:
        self.made = 0
        self.begun = threading.Event()
        self.go_on = threading.Event()

    @made_once
    def namespace(self) -> object:
        """Slow on purpose: the second thread asks while the first one makes it."""
        self.begun.set()
        assert self.go_on.wait(5)
        self.made += 1
        return object()


def test_threads_that_ask_at_the_same_time_get_the_same_object() -> None:
    home, found = Home(), []
    threads = [threading.Thread(target=lambda: found.append(home.namespace)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert home.begun.wait(5)
    assert "namespace" not in vars(home)
    home.go_on.set()
    for thread in threads:
        thread.join()
    assert len(set(found)) == home.made == 1
    assert len(found) == 4


def test_two_owners_have_one_each() -> None:
    first, second = Home(), Home()
    first.go_on.set()
    second.go_on.set()
    assert first.namespace is first.namespace
    assert first.namespace is not second.namespace
