"""The panels of a run's page: tiles of the newest numbers, charts, and what it was configured with."""

from __future__ import annotations

import streamlit as st

from app import blocks
from app.charts import View
from app.components import card, halves
from app.curves import Curves
from app.run_charts import (
    SHOWN_STEPS,
    gradient_chart,
    learning_rate_chart,
    loss_chart,
    memory_chart,
    parts_chart,
    reasoning_chart,
    throughput_chart,
)
from app.words import decimals, percent, rate, size, whole
from tunixrt_core.manifest import RunManifest
from tunixrt_core.runs import Run, RunState

SMOOTHING = {0.0: "Raw", 0.6: "0.60", 0.9: "0.90", 0.96: "0.96"}


def show_tiles(curves: Curves) -> None:
    """The newest numbers, the losses with their change, each with what it means."""
    last, best = curves.train.last, curves.best()
    change, eval_change = curves.change(), curves.eval_change()
    speed, seconds, mfu = last("tokens_per_second"), last("step_seconds"), last("mfu")
    memory, peak = last("memory_bytes"), last("peak_memory_bytes")
    with st.container(key="tiles"), st.grid(5, min_column_width=150):
        _tile(
            "Train loss",
            decimals(last("loss")),
            change,
            help="Nats per trained token. The change is over the last 50 train steps.",
        )
        _tile(
            "Eval loss",
            decimals(curves.evals.last("loss")),
            eval_change,
            help="Nats per token of the eval split. The change is since the evaluation before.",
        )
        perplexity = curves.evals.last("perplexity")
        _tile(
            "Perplexity",
            decimals(last("perplexity"), 2),
            note="" if perplexity is None else f"eval {decimals(perplexity, 2)}",
            help="exp(loss): among how many tokens the model wavers, on average.",
        )
        _tile(
            "Best eval loss",
            decimals(best[1] if best else None),
            note=f"train step {best[0]:,}" if best else "",
            help="The lowest one so far. Its checkpoint is kept.",
        )
        _tile("Learning rate", rate(last("learning_rate")))
        _tile("Gradient norm", decimals(last("grad_norm"), 2), help="Before clipping.")
        _tile(
            "Tokens/s",
            whole(None if speed is None else round(speed)),
            note="" if mfu is None else f"{percent(mfu)} MFU",
            help="Trained tokens. MFU: share of the device's peak arithmetic, where that is known.",
        )
        _tile(
            "Input wait",
            percent(curves.waiting_share()),
            note="" if seconds is None else f"{seconds:.3g} s a train step",
            help="Share of the last 50 train steps that the device waited for rows.",
        )
        _tile("Padding", percent(last("padding_share")), help="Share of the batch that is filled up, not trained on.")
        _tile(
            "Memory",
            "–" if memory is None else size(memory),
            note="" if peak is None else f"peak {size(peak)}",
            help="In use on the device, or by the process where that is a CPU.",
        )


def _tile(label: str, value: str, change: float | None = None, *, note: str = "", help: str | None = None) -> None:
    """A number; with its change, where less is better, or with a grey note."""
    st.metric(
        label,
        value,
        f"{change:.3f}" if change is not None else note or None,
        delta_color="off" if change is None else "inverse",
        delta_arrow="off" if change is None else "auto",
        help=help,
        border=True,
        height="stretch",
    )


def show_charts(curves: Curves, state: RunState, manifest: RunManifest) -> None:
    """The curves, and how the reader wants them."""
    # to the planned end, which shows how much is left; when it is over, to where it came
    total = state.train_step if state.status.over else state.total_train_steps
    if not len(curves.train):
        st.caption("The curves begin with the first train step.")
        return
    view, by_type = _controls(types=bool(curves.train.types))
    with halves():
        with card("Loss", note=f"smoothing {SMOOTHING[view.smoothing]} · lower is better", key="card-loss"):
            loss_chart(curves, total, view)
        if len(curves.samples):
            with card("Answers to the fixed prompts", note="greedy, at each evaluation", key="card-reasoning"):
                reasoning_chart(curves, total)
        if curves.train.parts:
            _parts_card(curves, total, view, by_type=by_type)
        norm = manifest.optimizer.max_grad_norm
        with card("Gradient norm", note=f"clipped at {norm:g}" if norm else "not clipped", key="card-gradient"):
            gradient_chart(curves, total, view)
        with card("Learning rate", note=manifest.schedule.kind.value, key="card-rate"):
            learning_rate_chart(curves, total)
        with card("Throughput", note="trained tokens", key="card-throughput"):
            throughput_chart(curves, total)
        if curves.train.last("memory_bytes") is not None:
            with card("Memory", note=state.device, key="card-memory"):
                memory_chart(curves, total)


def _controls(*, types: bool) -> tuple[View, bool]:
    """How the curves are drawn, and whether the loss is shown by step type."""
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
        by_type = types and st.toggle("Loss by step type", key="types", bind="query-params")
    return View(float(smoothing or 0), log_scale, 21 if skip else 0), by_type


def _parts_card(curves: Curves, total: int, view: View, *, by_type: bool) -> None:
    steps = sum(name.startswith("step ") for name in curves.train.parts)
    note = f"the first {SHOWN_STEPS} steps" if steps > SHOWN_STEPS and not by_type else "train loss, smoothed"
    with card("Loss by step type" if by_type else "Loss by part", note=note, key="card-parts"):
        parts_chart(curves, total, view, by_type=by_type)


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
            if manifest.tracking.tensorboard:
                st.caption("Its curves in TensorBoard, which is a program of its own")
                st.code(f"tensorboard --logdir {run.directory}/tensorboard", language=None, wrap_lines=True)
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
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
