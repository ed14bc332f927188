"""The Start button of a run: plan, obstacles and result."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from app.state import get_pipeline
from app.ui.boundary import escape_markdown, show_error
from app.ui.forms.submissions import next_submission
from app.ui.navigation import go
from app.ui.visitors import act_button
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest.manifest import RunManifest


def start_button(
    manifest: RunManifest,
    *,
    why_not: str | None = None,
    what: str = "run",
    parent: str | None = None,
    key: str = "start-run",
    width: Literal["stretch", "content"] = "stretch",
) -> None:
    """Start or queue the run of a manifest, then open its page. Two clicks start one run.

    `parent` is the run of which it is a clone.
    """
    rt = get_pipeline()
    processes = _pick_processes(f"{key}-processes") if rt.queue.several() else None
    asked: Any = rt.runs.asked_by(manifest)
    submission = next_submission("run", [asked, processes] if processes else asked)
    if submission.last is not None:
        _show_earlier(submission.last, what)
    queue = rt.queue.state()
    label, icon = (_queue_label(what, len(queue.waiting)), "playlist_add") if queue.holder else ("", "play_arrow")
    if not label:
        label = f"Start another {what}" if submission.number else f"Start {what}"
    if act_button(
        label,
        type="primary",
        icon=f":material/{icon}:",
        width=width,
        disabled=why_not is not None,
        help=why_not,
        key=submission.key(key),
    ):
        try:
            run = rt.runs.start(manifest, request_id=submission.id, parent=parent, processes=processes)
        except TunixRTError as error:
            show_error(error)
        else:
            go("run", run=run.id)
    if queue.holder:
        before = f"{queue.holder.run} and the waiting jobs" if queue.waiting else queue.holder.run
        st.caption(escape_markdown(f"The device is busy, so this run starts after {before}."))


def _pick_processes(key: str) -> int | None:
    """How many machines of the cluster train the run together; None for one."""
    found = st.number_input(
        "Machines",
        min_value=1,
        value=1,
        step=1,
        key=key,
        width=130,
        help="How many machines of the Ray cluster train this run together, one process each.",
    )
    return int(found) if found > 1 else None


def _queue_label(what: str, waiting: int) -> str:
    named = "Add to queue" if what == "run" else f"Add {what} to queue"
    return f"{named} ({waiting} waiting)" if waiting else named


def _show_earlier(request_id: str, what: str) -> None:
    """The run that this form has started with the same settings."""
    run = get_pipeline().runs.by_request(request_id)
    with st.container(horizontal=True, vertical_alignment="center", key=f"started-{what}"):
        if run is None:
            st.caption("A run with these settings is being started.")
            return
        st.caption(f"{run.id} was started with these settings.", width="content")
        if st.button(f"Open {run.id}", icon=":material/open_in_new:", key=f"open-{run.id}"):
            go("run", run=run.id)
