"""Building a dataset version: form and progress."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from app.datasets.form import dataset_form
from app.state import get_pipeline
from app.ui.background import TICK, follow
from app.ui.boundary import show_error
from app.ui.components import card
from app.ui.navigation import go
from app.ui.visitors import act_button
from app.ui.words import duration
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.errors import TunixRTError
from tunixrt_core.util.tasks import Task

_AT_ONCE_SECONDS = 3.0  # a shorter build needs no progress bar
_PHASE_WORDS = {
    "reading": "Finding matching traces",
    "connecting": "Connecting to the Ray cluster",
    "screening": "Applying the quality gates",
    "clustering": "Finding near-duplicate prompts",
    "checking": "Checking the rows of the version",
}


def show_builder(versions: Sequence[DatasetVersion]) -> None:
    """The form. After submission: the version, or the progress of a longer build."""
    rt = get_pipeline()
    sources = rt.traces.sources()
    suggested = versions[0].name if versions else next((name for name, _ in sources if name), "my-traces")
    try:
        asked = dataset_form(sources, suggested)
        if asked is None:
            return
        st.session_state["build-began"] = time.time()
        with st.spinner(f"Building {asked.spec.name}"):
            build = rt.datasets.builds.wait(
                rt.datasets.start_build(asked.spec, eval_file=asked.eval_file).id, _AT_ONCE_SECONDS
            )
        if build.over:
            _end(build)
    except TunixRTError as error:
        show_error(error)
        return
    go("datasets", build=build.id)


def show_build(build_id: str) -> None:
    """A running build, followed to its end."""
    build = get_pipeline().datasets.builds.get(build_id)
    with card(f"Building {build.title}", key="building"):
        if build.over:
            try:
                _end(build)
            except TunixRTError as error:
                show_error(error)
            return
        builds = get_pipeline().datasets.builds
        st.fragment(follow, run_every=TICK)(builds, build_id, _show_progress)
        if act_button("Stop build", icon=":material/stop_circle:", key="stop-build"):
            get_pipeline().datasets.stop_build(build_id)


def _show_progress(build: Task[DatasetVersion]) -> None:
    words = _PHASE_WORDS.get(build.phase or "reading", build.phase)
    if build.total:
        words += f" · {build.done:,} of {build.total:,} rows"
    st.progress(build.share, text=f"{words} · {duration(build.seconds)}")


def _end(build: Task[DatasetVersion]) -> None:
    """Show the version that a build made. Raises the error that ended the build otherwise."""
    version = build.value()
    if version.created_at.timestamp() < st.session_state.get("build-began", 0.0):
        st.toast(f"{version.name} v{version.version} already has this content.", icon=":material/info:")
    go("datasets", dataset=f"{version.name}:{version.version}")
