"""The Pipeline of this process, shared by pages, API and worker."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.settings import Settings

T = TypeVar("T")

_lock = threading.Lock()
_pipeline: Pipeline | None = None


def get_pipeline() -> Pipeline:
    """The Pipeline that the server opened, or one opened from the environment.

    Raises InvalidSettings, StoreError or OutputError if it cannot be opened.
    """
    global _pipeline
    if _pipeline is None:
        with _lock:
            # two pages may call this at once, and a home has one worker
            if _pipeline is None:
                _pipeline = open_pipeline(Settings.from_env(os.environ))
    return _pipeline


def set_pipeline(pipeline: Pipeline | None) -> None:
    """Use this Pipeline from now on; None forgets the one in use. The code that opened it closes it."""
    global _pipeline
    with _lock:
        _pipeline = pipeline


class PerPipeline(Generic[T]):
    """One object per Pipeline, created at the first call."""

    def __init__(self, make: Callable[[Pipeline], T]) -> None:
        self._make = make
        self._made: WeakKeyDictionary[Pipeline, T] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, pipeline: Pipeline) -> T:
        with self._lock:
            if pipeline not in self._made:
                self._made[pipeline] = self._make(pipeline)
            return self._made[pipeline]
