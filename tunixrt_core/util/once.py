"""Attributes that are made at their first use, once for all threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class made_once(Generic[T]):  # noqa: N801 - reads as the decorator that it is, like property
    """A method as an attribute: called at the first use, and its result kept. Unlike `functools.cached_property`, two
    threads that ask at the same time get one object.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__
        self._lock = threading.RLock()  # reentrant, for an object whose parts are made the same way

    @overload
    def __get__(self, owner: None, kind: type) -> made_once[T]: ...
    @overload
    def __get__(self, owner: object, kind: type) -> T: ...
    def __get__(self, owner: object | None, kind: type) -> made_once[T] | T:
        if owner is None:
            return self
        with self._lock:
            kept = vars(owner)
            if self._name not in kept:
                kept[self._name] = self._make(owner)
            made: T = kept[self._name]
            return made
