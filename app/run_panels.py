"""The panels of a run's page: tiles of the newest numbers, charts, and what it was configured with."""

from __future__ import annotations

import streamlit as st

from app import blocks
from app.charts import View, gradient_chart, learning_rate_chart, loss_chart, throughput_chart
from app.components import card, halves
from app.curves import Curves
from app.words import decimals, rate, whole
from tunixrt_core.manifest import RunManifest
from tunixrt_core.runs import Run, RunState, RunStatus

SMOOTHING = {0.0: "Raw", 0.6: "0.60", 0.9: "0.90", 0.96: "0.96"}


def show_tiles(curves: Curves) -> None:
    """The newest numbers, the losses with their change."""
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
    """The four curves, and how the reader wants them."""
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
    """What the trainer found before the first train step, and the manifest."""
    with halves():
        with card("Plan", note=state.device, key="run-plan"):
            pairs = [(key.replace("_", " ").capitalize(), _words(value)) for key, value in state.plan.items()]
            blocks.key_values(
                pairs or [("Rows", f"{manifest.data.train_rows:,} train, {manifest.data.eval_rows:,} eval")]
            )
            st.caption("Folder")
            st.code(run.directory, language=None, wrap_lines=True)
            if run.status in (RunStatus.SUCCEEDED, RunStatus.STOPPED):
                st.caption("Export the tuned model as a Hugging Face directory")
                st.code(f"tunixrt export-model {run.id}", language=None, wrap_lines=True)
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


def _words(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
