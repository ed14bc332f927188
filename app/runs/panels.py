"""Chart panels of a run and their display options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from app.runs.charts import (
    SHOWN_STEPS,
    gradient_chart,
    learning_rate_chart,
    loss_chart,
    memory_chart,
    parts_chart,
    reasoning_chart,
    throughput_chart,
)
from app.ui.charts.board import Board, Card
from app.ui.charts.charts import Chart, View
from app.ui.charts.curves import Curves
from app.ui.components import card, halves
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.record import RunState

SMOOTHING = {0.0: "Raw", 0.6: "0.60", 0.9: "0.90", 0.96: "0.96"}


def chart_board(curves: Curves, state: RunState, manifest: RunManifest, view: View, *, by_type: bool) -> Board:
    """The cards of the curves, and the functions that draw in them."""
    # to the planned end while the run trains; to its last train step when it is over
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
    """Display options of the curves, and whether the loss is shown by step type. The address contains them."""
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
    """The zoom range in train steps, for all charts. None for the whole run.

    The server draws the range with more points. ECharts' own zoom would be lost at every tick, because
    Streamlit replaces the whole chart.
    """
    if bound < 2:
        return None
    whole_run = (0, bound)
    held = st.session_state.get("zoom")
    if held and st.session_state.get("zoom-bound") != bound:
        # another run, or the same one trained for longer: the slider's value belongs to the other axis
        held = st.session_state["zoom"] = whole_run
    st.session_state["zoom-bound"] = bound
    first, last = held or _of_address(bound) or whole_run
    label = "Zoom" if (first, last) == whole_run else f"Train steps {first:,} to {last:,}"
    with st.popover(label, icon=":material/zoom_in:", key="zoom-open"):
        first, last = st.slider("Train steps", 0, bound, whole_run, key="zoom", bind="query-params", width=360)

        def reset() -> None:
            st.session_state["zoom"] = whole_run

        st.button("Show all", on_click=reset, disabled=(first, last) == whole_run, key="zoom-reset")
    return None if (first, last) == whole_run or first == last else (first, last)


def _of_address(bound: int) -> tuple[int, int] | None:
    """The range in the address before the slider has read it; None if it is outside this run."""
    found = [int(text) for text in st.query_params.get_all("zoom") if text.isdigit()]
    return (found[0], found[1]) if len(found) == 2 and found[0] <= found[1] <= bound else None


def _parts_title(curves: Curves, by_type: bool) -> tuple[str, str]:
    steps = sum(name.startswith("step ") for name in curves.train.parts)
    note = f"the first {SHOWN_STEPS} steps" if steps > SHOWN_STEPS and not by_type else "train loss, smoothed"
    return "Loss by step type" if by_type else "Loss by part", note
