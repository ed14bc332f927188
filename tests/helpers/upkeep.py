"""Waits for the upkeep of a home."""

from __future__ import annotations

from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.util.tasks import Task


def upkeep_over(rt: Pipeline, key: str) -> Task[None]:
    """The last task of this key, when it is over."""
    task = rt.home.upkeep.last(key)
    assert task is not None
    return rt.home.upkeep.wait(task.id, 30)
