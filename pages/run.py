"""Runs: all of them, or one of them live: what it is doing, its curves, its log, its manifest."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from app import blocks
from app.boundary import error_boundary, escape_markdown, show_error
from app.charts import View, gradient_chart, learning_rate_chart, loss_chart, throughput_chart
from app.components import card, empty_state, halves, header, state_badge
from app.curves import Curves
from app.navigation import go
from app.run_views import curves_of, runs_table, state_of
from app.state import get_pipeline
from app.words import MISSING, decimals, moment, plural, progress_line, rate, whole
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest import RunManifest
from tunixrt_core.runs import NEXT, Run, RunState, RunStatus

TICK = 2  # seconds between looks at a live run
CHARTS, LOG, CONFIG = "Charts", "Log", "Config"
SMOOTHING = {0.0: "Raw", 0.6: "0.60", 0.9: "0.90", 0.96: "0.96"}


def show_all() -> None:
    runs = rt.runs(limit=50).items
    with header("Runs", plural(len(runs), "run")):
        if st.button("New run", type="primary", icon=":material/add:", key="go-new-run"):
            go("new-run")
    if not runs:
        with empty_state(
            "No runs yet", "A run trains a model on a dataset version and keeps its curves here.", key="no-runs"
        ):
            if st.button("Set up a run", key="go-new-run-empty"):
                go("new-run")
        return
    st.fragment(show_list, run_every=3 if any(not run.status.over for run in runs) else None)()


def show_list() -> None:
    with error_boundary():
        if chosen := runs_table(rt.runs(limit=50).items, key="all-runs", now=time.time()):
            go("run", run=chosen)


def show_run(run: Run) -> None:
    manifest = RunManifest.from_dict(run.manifest)
    identity = [run.id, manifest.model.id, str(run.dataset or MISSING), method_words(manifest), moment(run.created_at)]
    with header(run.name, " · ".join(identity)):
        state_badge(run.status)
        show_actions(run)
    if run.status in (RunStatus.FAILED, RunStatus.INTERRUPTED):
        st.error(
            escape_markdown(run.message or "No reason was recorded; the log may hold one."), icon=":material/error:"
        )
    st.fragment(show_live, run_every=None if run.status.over else TICK)(run, manifest)


def show_actions(run: Run) -> None:
    if not run.status.over:
        stopping = run.status is RunStatus.STOPPING
        if st.button(
            "Stop and save",
            icon=":material/stop_circle:",
            key="stop-run",
            disabled=stopping,
            help="It is stopping already." if stopping else "Ends after this train step and keeps a checkpoint.",
        ):
            act(lambda: rt.stop_run(run.id), f"{run.id} stops after this train step and keeps a checkpoint.")
        return
    if RunStatus.QUEUED in NEXT[run.status] and st.button("Resume", icon=":material/resume:", key="resume-run"):
        act(lambda: rt.resume_run(run.id), f"{run.id} goes on from its last checkpoint.")
    if run.status is not RunStatus.FAILED and st.button(
        "Evaluate", type="primary", icon=":material/leaderboard:", key="evaluate-run"
    ):
        go("evaluations", run=run.id)


def act(action: Callable[[], Run], said: str) -> None:
    try:
        action()
    except TunixRTError as error:
        show_error(error)
    else:
        st.toast(said)
        st.rerun()


def method_words(manifest: RunManifest) -> str:
    return f"LoRA {manifest.lora.rank}" if manifest.method == "lora" else "all weights"


def show_live(run: Run, manifest: RunManifest) -> None:
    """Everything that changes while it runs. At the end of the run, the whole page is built once more."""
    with error_boundary():
        state = state_of(run)
        if state.status.over is not run.status.over or (state.status is not run.status and not state.status.over):
            st.rerun()
        curves = curves_of(run.id, state)
        left = curves.seconds_left(state.total_train_steps)
        st.progress(min(1.0, state.share_done), text=progress_line(state, time.time(), left))
        show_tiles(curves)
        tabs = st.tabs([CHARTS, LOG, CONFIG], key="tab", bind="query-params", on_change="rerun")
        if tabs[0].open:
            with tabs[0]:
                show_charts(curves, state, manifest)
        if tabs[1].open:
            with tabs[1]:
                st.code(
                    rt.run_folder(run.id).log_tail() or "The log is empty.", language=None, wrap_lines=True, height=460
                )
        if tabs[2].open:
            with tabs[2]:
                show_config(run, state, manifest)


def show_tiles(curves: Curves) -> None:
    with st.container(key="tiles"), st.grid(5, min_column_width=150):
        change, eval_change = curves.change(), curves.eval_change()
        st.metric(
            "Train loss",
            decimals(curves.train.last("loss")),
            None if change is None else f"{change:.3f}",
            delta_color="inverse",
            help="Nats per trained token. The change is over the last 50 train steps.",
            border=True,
            height="stretch",
        )
        st.metric(
            "Eval loss",
            decimals(curves.evals.last("loss")),
            None if eval_change is None else f"{eval_change:.3f}",
            delta_color="inverse",
            help="Nats per token of the eval split. The change is since the evaluation before.",
            border=True,
            height="stretch",
        )
        st.metric("Learning rate", rate(curves.train.last("learning_rate")), border=True, height="stretch")
        speed = curves.train.last("tokens_per_second")
        st.metric(
            "Tokens/s",
            whole(None if speed is None else round(speed)),
            help="Trained tokens.",
            border=True,
            height="stretch",
        )
        st.metric(
            "Gradient norm",
            decimals(curves.train.last("grad_norm"), 2),
            help="Before clipping.",
            border=True,
            height="stretch",
        )


def show_charts(curves: Curves, state: RunState, manifest: RunManifest) -> None:
    # to the planned end, which shows how much is left; when it is over, to where it came
    total = state.train_step if state.status.over else state.total_train_steps
    if not len(curves.train):
        st.caption("The curves begin with the first train step.")
        return
    with st.container(horizontal=True, vertical_alignment="center", key="chart-controls"):
        smoothing = st.segmented_control(
            "Smoothing",
            list(SMOOTHING),
            default=0.6,
            format_func=SMOOTHING.__getitem__,
            key="smoothing",
            bind="query-params",
            required=True,
            label_visibility="collapsed",
            help="Exponential moving average of the train loss.",
        )
        log_scale = st.toggle("Log scale", key="log", bind="query-params")
        skip = st.toggle("Hide first 20 train steps", key="skip", bind="query-params")
    view = View(float(smoothing or 0), log_scale, 21 if skip else 0)
    with halves():
        with card("Loss", note=f"smoothing {SMOOTHING[view.smoothing]} · lower is better", key="card-loss"):
            loss_chart(curves, total, view)
        norm = manifest.optimizer.max_grad_norm
        with card("Gradient norm", note=f"clipped at {norm:g}" if norm else "not clipped", key="card-gradient"):
            gradient_chart(curves, total, view)
        with card("Learning rate", note=manifest.schedule.kind.value, key="card-rate"):
            learning_rate_chart(curves, total)
        with card("Throughput", note="trained tokens", key="card-throughput"):
            throughput_chart(curves, total)


def show_config(run: Run, state: RunState, manifest: RunManifest) -> None:
    with halves():
        with card("Plan", note=state.device, key="run-plan"):
            pairs = [(key.replace("_", " ").capitalize(), words(value)) for key, value in state.plan.items()]
            blocks.key_values(
                pairs or [("Rows", f"{manifest.data.train_rows:,} train, {manifest.data.eval_rows:,} eval")]
            )
            st.caption("Folder")
            st.code(run.directory, language=None, wrap_lines=True)
        with card("Manifest", note=f"sha256 {manifest.content_hash[:8]}", key="run-manifest"):
            st.download_button(
                "Download YAML",
                manifest.to_yaml(),
                f"{run.id}.yaml",
                "application/yaml",
                icon=":material/download:",
                key="download-run-yaml",
                on_click="ignore",
            )
            st.code(manifest.to_yaml(), language="yaml", height=420)


def words(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


rt = get_pipeline()
wanted = st.query_params.get("run")
if wanted:
    show_run(rt.run(wanted))
else:
    show_all()
