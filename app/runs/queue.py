"""The accelerator's queue with its buttons."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import streamlit as st

from app.state import get_pipeline
from app.ui.boundary import show_error
from app.ui.components import card
from app.ui.navigation import go
from app.ui.words import duration, plural
from tunixrt_core.errors import TunixRTError

VERBS = {
    "train": "has trained",
    "evaluate": "has been evaluated",
    "export": "has been exported",
    "dry run": "has been tried",
    "playground": "has been asked",
}


def show_queue() -> None:
    """A card with the holder and the jobs that wait; nothing where nobody holds the accelerator and nothing waits."""
    rt = get_pipeline()
    queue = rt.queue.state()
    if queue.holder is None and not queue.waiting:
        return
    with card("Queue", note=f"{plural(len(queue.waiting), 'job')} waiting", key="queue"):
        if holder := queue.holder:
            since = duration(max(0.0, time.time() - holder.since))
            where = f"process {holder.pid}" if holder.ours else f"held by another process, {holder.pid}"
            with _row():
                st.markdown(
                    f"**{holder.run}** {VERBS.get(holder.kind, holder.kind)} for {since} · {where}", width="content"
                )
                if holder.ours and holder.kind != "dry run" and st.button("View run", key="queue-view"):
                    go("run", run=holder.run)
        for place, job in enumerate(queue.waiting):
            with _row():
                st.markdown(
                    f"{place + 1}. **{job.run}** waits to {_purpose(job.id, job.run, job.kind)}", width="content"
                )
                with st.container(horizontal=True, width="content", gap="xsmall"):
                    _button("Sooner", "arrow_upward", job.id, partial(rt.queue.move, job.id, -1), off=place == 0)
                    last = place == len(queue.waiting) - 1
                    _button("Later", "arrow_downward", job.id, partial(rt.queue.move, job.id, 1), off=last)
                    _button("Remove", "close", job.id, partial(rt.queue.remove, job.id))


def _purpose(job_id: str, run_id: str, kind: str) -> str:
    """What a job waits to do: `train`, or `evaluate its base model`."""
    if kind == "dry run":
        return "be tried"
    if kind == "playground":
        return "be asked"
    if kind == "export":
        return "be exported"
    # the id of an evaluation goes on with the train step and with what is asked
    return kind if kind == "train" else f"{kind} its {job_id.removeprefix(f'{run_id}-').partition('-')[0]} model"


@contextmanager
def _row() -> Iterator[None]:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        yield


def _button(label: str, icon: str, job_id: str, action: Callable[[], None], *, off: bool = False) -> None:
    """Does it before the page is built again, so that what follows shows the queue as it is then."""
    key = f"{label.lower()}-{job_id}"
    if st.button(label, icon=f":material/{icon}:", key=key, disabled=off, type="tertiary"):
        try:
            action()
        except TunixRTError as error:  # it has begun meanwhile
            show_error(error)
        else:
            st.rerun()
