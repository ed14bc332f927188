"""Compare runs: their curves over each other, where their manifests differ, and what each came to."""

from __future__ import annotations

import streamlit as st

from app.compare_views import (
    ALONG,
    MAX_RUNS,
    csv,
    differences_table,
    eval_points,
    overlay,
    points,
    results_table,
)
from app.components import card, empty_state, halves, header
from app.navigation import go
from app.run_views import curves_of, state_of
from app.state import get_pipeline
from app.words import plural
from tunixrt_core.runs import Run

SMOOTHED = 0.9


def choose(runs: list[Run]) -> list[str]:
    """The runs to compare. The address holds them, so that a comparison can be sent to somebody."""
    known = {run.id: run for run in runs}
    asked = [run_id for run_id in st.query_params.get("runs", "").split(",") if run_id]
    for run_id in asked:
        known.setdefault(run_id, rt.run(run_id))  # one of long ago is not in the list

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
        placeholder="Choose two runs or more",
        label_visibility="collapsed",
    )


def show_comparison(chosen: list[str]) -> None:
    compared = rt.compare_runs(chosen)
    curves = {run.id: curves_of(run, state_of(run)) for run in compared.runs}
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
        st.download_button(
            "Download CSV",
            lambda: csv(compared.runs, curves),
            "runs.csv",
            "text/csv",
            icon=":material/download:",
            key="download-csv",
            on_click="ignore",
        )
    axis = str(along or "Train step")
    with halves():
        with card("Train loss", note="raw" if raw else f"smoothing {SMOOTHED}", key="card-train"):
            lines = {run_id: points(each, axis, 0 if raw else SMOOTHED) for run_id, each in curves.items()}
            overlay(lines, axis, log_scale=log_scale, markers=False, key="compare-train")
        with card("Eval loss", note="of the eval split of each run", key="card-eval"):
            lines = {run_id: eval_points(each, axis) for run_id, each in curves.items()}
            overlay(lines, axis, log_scale=log_scale, markers=True, key="compare-eval")
        note = plural(len(compared.differences), "setting differs", "settings differ")
        with card("Config", note=note, key="card-config"):
            if compared.differences:
                differences_table(compared.runs, compared.differences)
                st.caption(f"Bold: not as in {compared.runs[0].id}, the first run.")
            else:
                st.caption("These runs ask for the same thing.")
        with card("Result", note="losses in nats per token", key="card-result"):
            results_table(compared.runs, compared.summaries)


rt = get_pipeline()
listed = list(rt.runs(limit=200).items)
with header("Compare runs", plural(len(listed), "run") if len(listed) < 200 else "200 runs or more"):
    pass
if len(listed) < 2:
    with empty_state(
        "Nothing to compare yet", "Two runs or more stand side by side here: curves, settings, results.", key="no-runs"
    ):
        if st.button("Set up a run", key="go-new-run"):
            go("new-run")
else:
    chosen = choose(listed)
    if len(chosen) < 2:
        st.caption("Choose two runs or more.")
    else:
        show_comparison(chosen)
