"""Compare runs: curves, manifest differences and results."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st
from plotly.graph_objects import Figure

from app.compare.data import Reading, readings
from app.compare.views import (
    ALONG,
    MAX_RUNS,
    csv,
    eval_points,
    figure_of,
    finding_of,
    overlay,
    page_of,
    points,
    results_table,
    settings_note,
    settings_table,
)
from app.state import get_pipeline
from app.ui.components import card, empty_state, halves, header
from app.ui.navigation import go
from app.ui.words import plural
from tunixrt_core.manifest.variants import side_by_side
from tunixrt_core.runs.record import Run

SMOOTHED = 0.9
LISTED = 200


def choose(runs: list[Run]) -> list[str]:
    """The runs to compare. They are in the address, so that a comparison can be shared as a link."""
    known = {run.id: run for run in runs}
    asked = [run_id for run_id in st.query_params.get("runs", "").split(",") if run_id]
    for run_id in asked:
        known.setdefault(run_id, rt.runs.get(run_id))  # an old run is not in the list

    def write() -> None:
        st.query_params["runs"] = ",".join(st.session_state["compared"])

    if asked != st.session_state.get("compared"):
        st.session_state["compared"] = asked[:MAX_RUNS]
    return st.multiselect(
        "Runs",
        list(known),
        format_func=lambda run_id: f"{run_id} · {known[run_id].name}",
        max_selections=MAX_RUNS,
        key="compared",
        on_change=write,
        placeholder=f"Choose two to {MAX_RUNS} runs",
        label_visibility="collapsed",
    )


def controls() -> tuple[str, bool, bool]:
    """Horizontal axis, log scale and raw curves."""
    with st.container(horizontal=True, vertical_alignment="center", key="compare-controls"):
        along = st.segmented_control(
            "Along",
            list(ALONG),
            default="Train step",
            key="along",
            bind="query-params",
            required=True,
            label_visibility="collapsed",
        )
        log_scale = st.toggle("Log scale", key="log", bind="query-params")
        raw = st.toggle("Show raw", key="raw", bind="query-params")
    return str(along or "Train step"), log_scale, raw


def show_downloads(runs: list[Run], found: list[Reading], figures: dict[str, Figure]) -> None:
    """At the right of the title: the link, and the content as files."""
    with st.popover("Copy link", icon=":material/link:", key="copy-link"):
        st.caption("This comparison, as it is shown now:")
        query = urlencode(st.query_params.to_dict(), safe=",")
        st.code(f"{st.context.url or ''}?{query}", language=None, wrap_lines=True)
    name = "-".join(run.id for run in runs)
    st.download_button(
        "Download CSV",
        lambda: csv(runs, found),
        f"{name}.csv",
        "text/csv",
        icon=":material/download:",
        key="download-csv",
        on_click="ignore",
    )
    st.download_button(
        "Download charts",
        lambda: page_of(f"Compare {', '.join(run.id for run in runs)}", figures),
        f"{name}.html",
        "text/html",
        icon=":material/insert_chart:",
        key="download-html",
        on_click="ignore",
        help="One HTML file with both charts, usable offline. A chart's own camera button saves a picture.",
    )


def show_settings(runs: list[Run]) -> None:
    settings = side_by_side([rt.runs.manifest(run.id) for run in runs])
    with card("Config", note=settings_note(settings), key="card-config"):
        only = st.toggle("Differences only", value=True, key="differences", bind="query-params")
        shown = [each for each in settings if each.differs] if only else settings
        if shown:
            settings_table(runs, shown)
            st.caption(f"Bold: differs from {runs[0].id}, the first run.")
        else:
            st.caption("These runs have the same settings.")


def show_comparison(runs: list[Run]) -> None:
    axis, log_scale, raw = controls()
    found = readings(runs)
    if found is None:
        return
    named = list(zip([run.id for run in runs], found, strict=True))
    smoothing = 0 if raw else SMOOTHED
    train = {run_id: points(each.curves, axis, smoothing) for run_id, each in named}
    evals = {run_id: eval_points(each.curves, axis) for run_id, each in named}
    figures = {
        "Train loss": figure_of(train, axis, log_scale=log_scale, markers=False),
        "Eval loss": figure_of(evals, axis, log_scale=log_scale, markers=True),
    }
    with halves():
        with card("Train loss", note="raw" if raw else f"smoothing {SMOOTHED}", key="card-train"):
            overlay(figures["Train loss"], finding_of(train, "Train loss", axis), key="compare-train")
        with card("Eval loss", note="of the eval split of each run", key="card-eval"):
            overlay(figures["Eval loss"], finding_of(evals, "Eval loss", axis), key="compare-eval")
        show_settings(runs)
        with card("Result", note="losses in nats per token", key="card-result"):
            results_table(runs, [each.summary for each in found])
            if any(each.summary.exact_match for each in found):
                st.caption("Exact match with its 95 % interval; n is the number of evaluated rows.")
    with actions:
        show_downloads(runs, found, figures)


rt = get_pipeline()
listed = list(rt.runs.page(limit=LISTED).items)
many = plural(len(listed), "run") if len(listed) < LISTED else f"{LISTED} runs or more"
picked = [run_id for run_id in st.query_params.get("runs", "").split(",") if run_id][:MAX_RUNS]
with header("Compare runs", f"{len(picked)} of {many} selected" if picked else many):
    actions = st.container(horizontal=True, width="content", key="compare-actions")
if len(listed) < 2:
    with empty_state(
        "Nothing to compare yet", "Shows two or more runs side by side: curves, settings, results.", key="no-runs"
    ):
        if st.button("Set up a run", key="go-new-run"):
            go("new-run")
else:
    chosen = choose(listed)
    if len(chosen) < 2:
        st.caption("Choose two runs or more.")
    else:
        show_comparison([rt.runs.get(run_id) for run_id in chosen])
