"""Slow values of a page, computed once in the background."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import streamlit as st

from app.ui.boundary import error_boundary
from tunixrt_core.util.tasks import Task, Tasks, Work

PATIENCE = 0.3  # seconds: a task that ends sooner needs no progress bar
TICK = 0.5  # seconds between updates of a task

T = TypeVar("T")


def ask(tasks: Tasks[T], key: Hashable, work: Work[T]) -> Task[T]:
    """The task that computes the value of `key`, started once and then kept. Waits briefly for its end.

    A waiting task yields to a newer one: its page has moved on, or will call again.
    """
    known = tasks.last(key)
    if known is None or known.status == "stopped":
        for other in tasks.all():
            if other.status == "waiting":
                tasks.stop(other.id)
        known = tasks.start(work, key=key)
    return tasks.wait(known.id, PATIENCE)


def computed(tasks: Tasks[T], key: Hashable, work: Work[T], show: Callable[[Task[T]], object]) -> T | None:
    """The result of `work`. Raises the error that ended it.

    None while it is being computed: `show` draws the progress at each tick, and the page reruns at the end.
    """
    task = ask(tasks, key, work)
    if not task.over:
        st.fragment(follow, run_every=TICK)(tasks, task.id, show)
        return None
    if task.status == "stopped":
        st.rerun()
    return task.value()


def follow(tasks: Tasks[Any], task_id: str, show: Callable[[Task[Any]], object]) -> None:
    """For a fragment: show a task while it runs; the page reruns at its end."""
    with error_boundary():
        task = tasks.find(task_id)
        if task is None or task.over:
            st.rerun()
        show(task)
