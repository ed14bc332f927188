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
from app.ui.visitors import act_button
from app.ui.words import duration, plural
from tunixrt_core.errors import TunixRTError

STATE_PHRASES = {
    "train": "has trained",
    "evaluate": "has been evaluated",
    "export": "has been exported",
    "dry run": "has been in a dry run",
    "playground": "has been answering",
}

_ORDERED_ELSEWHERE = "It waits at another server of this home, which alone orders it."


def show_queue() -> None:
    """A card with the holder and the waiting jobs; hidden if there is neither."""
    rt = get_pipeline()
    queue = rt.queue.state()
    if queue.holder is None and not queue.waiting:
        return
    with card("Queue", note=f"{plural(len(queue.waiting), 'job')} waiting", key="queue"):
        if holder := queue.holder:
            since = duration(max(0.0, time.time() - holder.since))
            where = holder.where if holder.ours else f"held by another {holder.where}"
            with _row():
                st.markdown(
                    f"**{holder.run}** {STATE_PHRASES.get(holder.kind, holder.kind)} for {since} · {where}",
                    width="content",
                )
                here = holder.ours or rt.runs.named([holder.run])  # a command may train in a folder of its own
                if here and holder.kind != "dry run" and st.button("View run", key="queue-view"):
                    go("run", run=holder.run)
        for place, job in enumerate(queue.waiting):
            with _row():
                st.markdown(
                    f"{place + 1}. **{job.run}** waits to {_purpose(job.id, job.run, job.kind)}", width="content"
                )
                with st.container(horizontal=True, width="content", gap="xsmall"):
                    last = place == sum(job.here for job in queue.waiting) - 1
                    why = None if job.here else _ORDERED_ELSEWHERE
                    sooner, later = (partial(rt.queue.move, job.id, by) for by in (-1, 1))
                    _button("Sooner", "arrow_upward", job.id, sooner, off=place == 0 or not job.here, help=why)
                    _button("Later", "arrow_downward", job.id, later, off=last or not job.here, help=why)
                    _button("Remove", "close", job.id, partial(rt.queue.remove, job.id))


def _purpose(job_id: str, run_id: str, kind: str) -> str:
    """What a job waits to do: `train`, or `evaluate its base model`."""
    if kind == "dry run":
        return "do a dry run"
    if kind == "playground":
        return "answer a question"
    if kind == "export":
        return "be exported"
    # the id of an evaluation continues with the model, the train step and the setup
    return kind if kind == "train" else f"{kind} its {job_id.removeprefix(f'{run_id}-').partition('-')[0]} model"


@contextmanager
def _row() -> Iterator[None]:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        yield


def _button(
    label: str, icon: str, job_id: str, action: Callable[[], None], *, off: bool = False, help: str | None = None
) -> None:
    """A button whose action runs before the page reruns, so that the page shows the new queue."""
    key = f"{label.lower()}-{job_id}"
    if act_button(label, icon=f":material/{icon}:", key=key, disabled=off, help=help, type="tertiary"):
        try:
            action()
        except TunixRTError as error:  # the job has started meanwhile
            show_error(error)
        else:
            st.rerun()
