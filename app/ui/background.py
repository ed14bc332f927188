"""Slow values of a page: each computed once in a background task, and kept for all sessions."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import streamlit as st

from app.ui.boundary import error_boundary
from tunixrt_core.util.tasks import Task, Tasks, Work

PATIENCE = 0.3  # seconds: what is done by then needs no progress bar
TICK = 0.5  # seconds between looks at a task

T = TypeVar("T")


def ask(tasks: Tasks[T], key: Hashable, work: Work[T]) -> Task[T]:
    """The task that computes what `key` names, begun once and then kept. Waits a moment for its end.

    One that has not begun gives way to a newer one: the page that asked for it has moved on, or asks again.
    """
    known = tasks.last(key)
    if known is None or known.status == "stopped":
        for other in tasks.all():
            if other.status == "waiting":
                tasks.stop(other.id)
        known = tasks.start(work, key=key)
    return tasks.wait(known.id, PATIENCE)


def computed(tasks: Tasks[T], key: Hashable, work: Work[T], show: Callable[[Task[T]], object]) -> T | None:
    """What `work` gives. Raises what ended it.

    None while it is computed: `show` draws its progress at each tick, and the page is built again at its end.
    """
    task = ask(tasks, key, work)
    if not task.over:
        st.fragment(follow, run_every=TICK)(tasks, task.id, show)
        return None
    if task.status == "stopped":
        st.rerun()
    return task.value()


def follow(tasks: Tasks[Any], task_id: str, show: Callable[[Task[Any]], object]) -> None:
    """For a fragment: show a task while it runs; at its end the page is built again."""
    with error_boundary():
        task = tasks.find(task_id)
        if task is None or task.over:
            st.rerun()
        show(task)
