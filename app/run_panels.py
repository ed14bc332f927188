"""The panels of a run's page: tiles of the newest numbers, charts, and what it was configured with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import blocks
from app.board import Board, Card
from app.charts import Chart, View
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
from app.state import get_pipeline
from app.words import MISSING, decimals, percent, rate, size, whole
from tunixrt_core.manifest import RunManifest
from tunixrt_core.runs import Run, RunState

SMOOTHING = {0.0: "Raw", 0.6: "0.60", 0.9: "0.90", 0.96: "0.96"}


@dataclass(frozen=True, slots=True)
class Tile:
    """A number; with its change, where less is better, or with a grey note."""

    label: str
    value: str
    change: float | None = None
    note: str = ""
    help: str | None = None


def tiles_of(curves: Curves) -> list[Tile]:
    """The newest numbers, the losses with their change, each with what it means."""
    last, best = curves.train.last, curves.best()
    speed, seconds, mfu = last("tokens_per_second"), last("step_seconds"), last("mfu")
    memory, peak, perplexity = last("memory_bytes"), last("peak_memory_bytes"), curves.evals.last("perplexity")
    return [
        Tile(
            "Train loss",
            decimals(last("loss")),
            curves.change(),
            help="Nats per trained token. The change is over the last 50 train steps.",
        ),
        Tile(
            "Eval loss",
            decimals(curves.evals.last("loss")),
            curves.eval_change(),
            help="Nats per token of the eval split. The change is since the evaluation before.",
        ),
        Tile(
            "Perplexity",
            decimals(last("perplexity"), 2),
            note="" if perplexity is None else f"eval {decimals(perplexity, 2)}",
            help="exp(loss): among how many tokens the model wavers, on average.",
        ),
        Tile(
            "Best eval loss",
            decimals(best[1] if best else None),
            note=f"train step {best[0]:,}" if best else "",
            help="The lowest one so far. Its checkpoint is kept.",
        ),
        Tile("Learning rate", rate(last("learning_rate"))),
        Tile("Gradient norm", decimals(last("grad_norm"), 2), help="Before clipping."),
        Tile(
            "Tokens/s",
            whole(None if speed is None else round(speed)),
            note="" if mfu is None else f"{percent(mfu)} MFU",
            help="Trained tokens. MFU: share of the device's peak arithmetic, where that is known.",
        ),
        Tile(
            "Input wait",
            percent(curves.waiting_share()),
            note="" if seconds is None else f"{seconds:.3g} s a train step",
            help="Share of the last 50 train steps that the device waited for rows.",
        ),
        Tile("Padding", percent(last("padding_share")), help="Share of the batch that is filled up, not trained on."),
        Tile(
            "Memory",
            MISSING if memory is None else size(memory),
            note="" if peak is None else f"peak {size(peak)}",
            help="In use on the device, or by the process where that is a CPU.",
        ),
    ]


def show_tiles(tiles: Sequence[Tile]) -> None:
    with st.grid(5, min_column_width=150):
        for tile in tiles:
            st.metric(
                tile.label,
                tile.value,
                f"{tile.change:.3f}" if tile.change is not None else tile.note or None,
                delta_color="off" if tile.change is None else "inverse",
                delta_arrow="off" if tile.change is None else "auto",
                help=tile.help,
                border=True,
                height="stretch",
            )


def chart_board(curves: Curves, state: RunState, manifest: RunManifest, view: View, *, by_type: bool) -> Board:
    """The cards of the curves, and who draws in them."""
    # to the planned end, which shows how much is left; when it is over, to where it came
    end = state.train_step if state.status.over else state.total_train_steps
    cards = []

    def add(title: str, note: str, key: str, draw: Callable[[], Chart], **when: Any) -> None:
        with card(title, note=note, key=key):
            cards.append(Card(st.container(), draw, **when))

    with halves():
        add(
            "Loss",
            f"smoothing {SMOOTHING[view.smoothing]} · lower is better",
            "card-loss",
            lambda: loss_chart(curves, end, view),
            events=lambda: len(curves.evals) + len(curves.checkpoints),
            weight=3,
        )
        if len(curves.samples):
            add(
                "Answers to the fixed prompts",
                "greedy, at each evaluation",
                "card-reasoning",
                lambda: reasoning_chart(curves, end, view),
                events=lambda: len(curves.samples),
            )
        if curves.train.parts:
            add(*_parts_title(curves, by_type), "card-parts", lambda: parts_chart(curves, end, view, by_type=by_type))
        norm = manifest.optimizer.max_grad_norm
        clipped = f"clipped at {norm:g}" if norm else "not clipped"
        add("Gradient norm", clipped, "card-gradient", lambda: gradient_chart(curves, end, view))
        schedule = manifest.schedule.kind.value
        add("Learning rate", schedule, "card-rate", lambda: learning_rate_chart(curves, end, view))
        add("Throughput", "trained tokens", "card-throughput", lambda: throughput_chart(curves, end, view))
        if curves.train.last("memory_bytes") is not None:
            add("Memory", state.device, "card-memory", lambda: memory_chart(curves, end, view))
    return Board(cards, view.span(end), live=not state.status.over)


def chart_controls(state: RunState, *, types: bool) -> tuple[View, bool]:
    """How the reader wants the curves, and whether the loss is shown by step type. All of it is in the address."""
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
        zoom = _zoom(max(state.total_train_steps, state.train_step))
    return View(float(smoothing or 0), log_scale, 21 if skip else 0, zoom), by_type


def _zoom(bound: int) -> tuple[int, int] | None:
    """The train steps to look at closely, of all charts at once. None for all of them.

    The server draws them with more points. What ECharts itself zooms would jump back with every tick, because
    Streamlit sets the whole chart anew.
    """
    if bound < 2:
        return None
    whole_run = (0, bound)
    first, last = st.session_state.get("zoom", whole_run)
    label = "Zoom" if (first, last) == whole_run else f"Train steps {first:,} to {last:,}"
    with st.popover(label, icon=":material/zoom_in:", key="zoom-open"):
        first, last = st.slider("Train steps", 0, bound, whole_run, key="zoom", bind="query-params", width=360)

        def reset() -> None:
            st.session_state["zoom"] = whole_run

        st.button("Show all", on_click=reset, disabled=(first, last) == whole_run, key="zoom-reset")
    return None if (first, last) == whole_run or first == last else (first, last)


def _parts_title(curves: Curves, by_type: bool) -> tuple[str, str]:
    steps = sum(name.startswith("step ") for name in curves.train.parts)
    note = f"the first {SHOWN_STEPS} steps" if steps > SHOWN_STEPS and not by_type else "train loss, smoothed"
    return "Loss by step type" if by_type else "Loss by part", note


def show_log(run: Run) -> DeltaGenerator:
    """The place of the log's end, which stays at its last line, and the whole log as a file."""
    file = get_pipeline().run_folder(run.id).log_file
    st.download_button(
        "Download whole log",
        lambda: file.read_bytes() if file.exists() else b"",
        f"{run.id}.log",
        "text/plain",
        icon=":material/download:",
        key="download-log",
        on_click="ignore",
    )
    return st.container(height=460, autoscroll=True, key="log")


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
