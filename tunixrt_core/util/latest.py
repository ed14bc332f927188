"""The newest states of one kind of background work, by id."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from tunixrt_core.errors import NotFound


class State(Protocol):
    """A frozen dataclass with the state of a job."""

    @property
    def id(self) -> str: ...

    @property
    def over(self) -> bool: ...


S = TypeVar("S", bound=State)


class Latest(Generic[S]):
    """The newest `keep` states; older ones that are over are forgotten. Safe to use from several threads."""

    def __init__(self, kind: str, keep: int = 50) -> None:
        """`kind` is what a state is called in NotFound, such as `dry run`."""
        self._kind = kind
        self._keep = keep
        self._lock = threading.RLock()
        self._states: dict[str, S] = {}  # oldest first

    def add(self, make: Callable[[], S], *, unless: Callable[[S], bool] = lambda state: False) -> tuple[S, bool]:
        """Keep a new state. An existing one that is not over and for which `unless` holds is returned instead.

        The state, and whether it is new. `make` runs inside the lock; what it raises is raised.
        """
        with self._lock:
            for known in self._states.values():
                if not known.over and unless(known):
                    return known, False
            state = make()
            self._states[state.id] = state
            over = [one.id for one in self._states.values() if one.over]
            for id in over[: max(0, len(self._states) - self._keep)]:
                del self._states[id]
            return state, True

    def change(self, id: str, **changes: Any) -> None:
        """Replace fields of a state; a forgotten one is ignored."""
        with self._lock:
            if id in self._states:
                self._states[id] = replace(self._states[id], **changes)  # type: ignore[type-var]

    def get(self, id: str) -> S:
        """Raises NotFound."""
        if (found := self.find(id)) is None:
            raise NotFound(self._kind, id, "It is forgotten when the server ends; start it again.")
        return found

    def find(self, id: str) -> S | None:
        with self._lock:
            return self._states.get(id)

    def all(self) -> list[S]:
        """Newest first."""
        with self._lock:
            return list(reversed(self._states.values()))

    def last(self, meant: Callable[[S], bool]) -> S | None:
        """The newest state for which this holds."""
        return next((state for state in self.all() if meant(state)), None)

    def forget(self, id: str) -> None:
        with self._lock:
            self._states.pop(id, None)
