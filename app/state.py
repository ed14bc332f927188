"""The one Pipeline of this process: pages, API and worker all use it."""

from __future__ import annotations

import os
import threading

from tunixrt_core.pipeline import Pipeline, open_pipeline
from tunixrt_core.settings import Settings

_lock = threading.Lock()
_pipeline: Pipeline | None = None


def get_pipeline() -> Pipeline:
    """The Pipeline that the server opened; opened from the environment where there is none yet.

    Raises InvalidSettings, StoreError or OutputError where it cannot be opened.
    """
    global _pipeline
    if _pipeline is None:
        with _lock:
            # two pages may ask at the same moment, and a home has one worker
            if _pipeline is None:
                _pipeline = open_pipeline(Settings.from_env(os.environ))
    return _pipeline


def set_pipeline(pipeline: Pipeline | None) -> None:
    """Use this Pipeline from now on; None forgets the one in use. Whoever opened it closes it."""
    global _pipeline
    with _lock:
        _pipeline = pipeline
