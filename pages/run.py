"""Runs: the list, or one run live."""

from __future__ import annotations

import streamlit as st

from app.component.element import element
from app.runs.actions import show_actions, show_parent
from app.runs.alerts import show_alerts
from app.runs.config import show_config, show_log
from app.runs.figures.kept import curves_of
from app.runs.live import follow_log, show_progress
from app.runs.model_export import show_exports
from app.runs.queue import show_queue
from app.runs.samples import show_samples
from app.state import get_pipeline
from app.ui.boundary import error_boundary, escape_markdown, show_error
from app.ui.charts.curves import Curves
from app.ui.components import empty_state, header, state_badge
from app.ui.navigation import go
from app.ui.visitors import act_button, may_write
from app.ui.words import moment
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.record import Run, RunState, RunStatus

CHARTS, SAMPLES, LOG, CONFIG, EXPORT = "Charts", "Samples", "Log", "Config", "Export"


def show_all() -> None:
    with header("Runs"):
        if st.button("New run", type="primary", icon=":material/add:", key="go-new-run"):
            go("new-run")
    if not rt.runs.page(limit=1).items:
        with empty_state(
            "No runs yet", "A run trains a model on a dataset version and keeps its curves here.", key="no-runs"
        ):
            if st.button("Set up a run", key="go-new-run-empty"):
                go("new-run")
        return
    st.fragment(show_jobs, run_every=3 if rt.queue.state().holder is not None else None)()
    element("runs", key="runs", url="/api/runs", page="/run?run=", writes=may_write())


def show_jobs() -> None:
    with error_boundary():
        show_queue()


def show_broken(run: Run) -> None:
    """A run that cannot be read: which file, why, and the way to move it aside."""
    with header(run.name, f"{run.id} · {moment(run.created_at)}"):
        state_badge(run.status)
    st.error(escape_markdown(run.message), icon=":material/broken_image:")
    for problem in rt.runs.problems(run.id):
        st.caption(escape_markdown(f"{problem.path}: {problem.reason}"))
    if act_button(
        "Move aside",
        icon=":material/drive_file_move:",
        key="aside-run",
        help="Moves the run's folder to `aside` in the home and takes the run off the list. No file is deleted.",
    ):
        try:
            target = rt.runs.move_aside(run.id)
        except TunixRTError as error:
            show_error(error)
        else:
            st.toast(f"{run.id} is in {target} now.")
            go("run")


def show_run(run: Run, state: RunState | None) -> None:
    if state is None:
        show_broken(run)
        return
    manifest = RunManifest.from_dict(run.manifest)
    identity = [
        run.id,
        manifest.model.id,
        *([str(run.dataset)] if run.dataset else []),
        method_words(manifest),
        moment(run.created_at),
    ]
    with header(run.name, " · ".join(identity)):
        state_badge(run.status)
        show_actions(run, state)
    show_parent(run)
    if run.status in (RunStatus.FAILED, RunStatus.INTERRUPTED):
        st.error(escape_markdown(run.message or "No reason was recorded. See the log."), icon=":material/error:")
    elif run.message:
        st.caption(escape_markdown(run.message))
    if state.refused:
        st.warning(escape_markdown(f"The last resume changed nothing: {state.refused}"), icon=":material/block:")
    curves = curves_of(run, state)
    show_alerts(run, curves.alerts)
    show_dropped(state, manifest)
    show_tabs(run, manifest, state, curves)


def show_dropped(state: RunState, manifest: RunManifest) -> None:
    if dropped := int(state.plan.get("dropped_rows", 0)):
        st.warning(
            f"{dropped:,} of {manifest.data.rows:,} rows are longer than {manifest.max_seq_length:,} tokens "
            "and were left out.",
            icon=":material/content_cut:",
        )


def method_words(manifest: RunManifest) -> str:
    if not manifest.method.adapts:
        return "all weights"
    return f"{'QLoRA' if manifest.method == 'qlora' else 'LoRA'} {manifest.lora.rank}"


def show_tabs(run: Run, manifest: RunManifest, state: RunState, curves: Curves) -> None:
    """The open tab; under the others the progress stays in view."""
    top = st.container(key="live")
    tabs = st.tabs([CHARTS, SAMPLES, LOG, CONFIG, EXPORT], key="tab", bind="query-params", on_change="rerun")
    charts, samples, log, config, export = tabs
    with charts if charts.open else top:
        show_progress(run, state, curves, manifest, panels=bool(charts.open), samples=bool(samples.open))
    if log.open:
        with log:
            follow_log(run, show_log(run))
    if samples.open:
        with samples:
            show_samples(rt.runs.samples(run.id), manifest)
    if config.open:
        with config:
            show_config(run, state, manifest)
    if export.open:
        with export:
            show_exports(run, manifest)


rt = get_pipeline()
wanted = st.query_params.get("run")
if wanted:
    show_run(*rt.runs.look(wanted))
else:
    show_all()
