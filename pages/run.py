"""Runs: all of them, or one of them live: what it is doing, its curves, its log, its manifest."""

from __future__ import annotations

import time

import streamlit as st

from app.boundary import error_boundary, escape_markdown
from app.components import empty_state, header, state_badge
from app.model_export_views import show_exports
from app.navigation import go
from app.queue_views import show_queue
from app.run_actions import show_actions
from app.run_alerts import show_alerts
from app.run_panels import show_charts, show_config, show_tiles
from app.run_samples import show_samples
from app.run_views import curves_of, runs_table, state_of
from app.state import get_pipeline
from app.words import MISSING, compile_words, moment, plural, progress_line
from tunixrt_core.manifest import RunManifest
from tunixrt_core.runs import Run, RunStatus

TICK = 2  # seconds between looks at a live run
CHARTS, SAMPLES, LOG, CONFIG, EXPORT = "Charts", "Samples", "Log", "Config", "Export"


def show_all() -> None:
    runs = rt.runs(limit=50).items
    with header("Runs", plural(len(runs), "run")):
        if len(runs) > 1 and st.button("Compare runs", icon=":material/compare_arrows:", key="go-compare"):
            go("compare", runs=",".join(run.id for run in runs[:2]))
        if st.button("New run", type="primary", icon=":material/add:", key="go-new-run"):
            go("new-run")
    if not runs:
        with empty_state(
            "No runs yet", "A run trains a model on a dataset version and keeps its curves here.", key="no-runs"
        ):
            if st.button("Set up a run", key="go-new-run-empty"):
                go("new-run")
        return
    live = any(not run.status.over for run in runs) or rt.queue().holder is not None
    st.fragment(show_list, run_every=3 if live else None)()


def show_list() -> None:
    with error_boundary():
        show_queue()
        if chosen := runs_table(rt.runs(limit=50).items, key="all-runs", now=time.time()):
            go("run", run=chosen)


def show_run(run: Run) -> None:
    manifest = RunManifest.from_dict(run.manifest)
    identity = [run.id, manifest.model.id, str(run.dataset or MISSING), method_words(manifest), moment(run.created_at)]
    with header(run.name, " · ".join(identity)):
        state_badge(run.status)
        show_actions(run, state_of(run))
    if run.status in (RunStatus.FAILED, RunStatus.INTERRUPTED):
        st.error(
            escape_markdown(run.message or "No reason was recorded; the log may hold one."), icon=":material/error:"
        )
    elif run.message:
        st.caption(escape_markdown(run.message))
    st.fragment(show_live, run_every=None if run.status.over else TICK)(run, manifest)


def method_words(manifest: RunManifest) -> str:
    if not manifest.method.adapts:
        return "all weights"
    return f"{'QLoRA' if manifest.method == 'qlora' else 'LoRA'} {manifest.lora.rank}"


def show_live(run: Run, manifest: RunManifest) -> None:
    """Everything that changes while it runs. At the end of the run, the whole page is built once more."""
    with error_boundary():
        state = state_of(run)
        if state.status is not run.status:
            st.rerun()
        curves = curves_of(run.id, state)
        left = curves.seconds_left(state.total_train_steps)
        compiling = compile_words(state.plan.get("row_lengths") or (), [length for _, length in curves.compiled])
        st.progress(min(1.0, state.share_done), text=progress_line(state, time.time(), left, compiling))
        show_alerts(run, curves.alerts)
        if dropped := int(state.plan.get("dropped_rows", 0)):
            st.warning(
                f"{dropped:,} of {manifest.data.rows:,} rows are longer than {manifest.max_seq_length:,} tokens "
                "and were left out.",
                icon=":material/content_cut:",
            )
        show_tiles(curves)
        tabs = st.tabs([CHARTS, SAMPLES, LOG, CONFIG, EXPORT], key="tab", bind="query-params", on_change="rerun")
        if tabs[0].open:
            with tabs[0]:
                show_charts(curves, state, manifest)
        if tabs[1].open:
            with tabs[1]:
                show_samples(rt.run_samples(run.id), manifest)
        if tabs[2].open:
            with tabs[2]:
                st.code(
                    rt.run_folder(run.id).log_tail() or "The log is empty.", language=None, wrap_lines=True, height=460
                )
        if tabs[3].open:
            with tabs[3]:
                show_config(run, state, manifest)
        if tabs[4].open:
            with tabs[4]:
                show_exports(run, manifest)


rt = get_pipeline()
wanted = st.query_params.get("run")
if wanted:
    show_run(rt.run(wanted))
else:
    show_all()
