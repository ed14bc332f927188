"""Who acts in the current thread, from where, and with which rights."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Via = Literal["page", "API", "command", "script"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who uses a home. `address` is that of the client, of one that came over the network."""

    name: str
    via: Via
    writes: bool = True
    address: str = ""


_current: ContextVar[Actor | None] = ContextVar("tunixrt_actor", default=None)
_find: Callable[[], Actor | None] = lambda: None  # noqa: E731 - replaced by the dashboard


def current_actor() -> Actor:
    """Who acts: of the innermost `acting_as`, of a page's session, or else the system user with a script."""
    return _current.get() or _find() or Actor(system_user(), "script")


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """What is done within the block is done by this actor."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)


def find_actors_by(find: Callable[[], Actor | None]) -> None:
    """Ask this for the actor of a thread without one, such as that of a page; None where it knows none."""
    global _find
    _find = find


def system_user() -> str:
    """The user of the operating system, as `system user ana`."""
    number = os.geteuid()
    try:
        return f"system user {pwd.getpwuid(number).pw_name}"
    except KeyError:  # a container runs with a number that has no name
        return f"system user {number}"
