"""Overview: what is there, what runs, what needs attention, and what to do next."""

from __future__ import annotations

import time

import streamlit as st

from app import blocks
from app.boundary import error_boundary
from app.components import card, empty_state, halves, header, tiles, tunix_words
from app.navigation import go
from app.next_step import next_step
from app.run_views import best_exact_match, runs_table
from app.state import get_pipeline
from app.words import STATE_WORDS, percent, plural, size, whole
from tunixrt_core.runs import Run, RunStatus

SHOWN_RUNS = 6


def show_empty_home() -> None:
    with header("Overview", f"Home: {rt.settings.home}"):
        pass
    with empty_state(
        "Nothing here yet",
        "Reasoning traces come in, a tuned model comes out: import, build a dataset, train, evaluate. "
        "The bundled examples take you through all of it in about five minutes.",
        key="empty-home",
    ):
        if st.button("Load example traces", type="primary", icon=":material/auto_awesome:", key="load-examples"):
            with st.spinner("Loading the example traces"):
                st.session_state["import-report"] = rt.ingest_examples()
            go("import")
        if st.button("Upload a JSONL file", icon=":material/upload:", key="begin-upload"):
            go("import", source="Upload")
        if st.button("Name a file on the server", icon=":material/folder_open:", key="begin-path"):
            go("import", source="Server path")
    show_device()


def show_home(trace_count: int) -> None:
    versions, evals = rt.dataset_versions(), rt.evaluations()
    all_runs = rt.runs(limit=200).items
    with header("Overview", f"Home: {rt.settings.home}"):
        if st.button("Import traces", icon=":material/upload:", key="go-import"):
            go("import")
        if tunix and st.button("New run", icon=":material/add:", key="go-new-run"):
            go("new-run")
    tiles(
        [
            ("Traces", whole(trace_count), ""),
            ("Dataset versions", whole(len(versions)), ""),
            ("Runs", whole(len(all_runs)) if len(all_runs) < 200 else "200 or more", ""),
            ("Best exact match", percent(best_exact_match(evals)), "Of tuned models, on the eval split of their run."),
        ],
        key="counts",
    )
    if all_runs:
        live = any(not run.status.over for run in all_runs)
        st.fragment(show_recent_runs, run_every=3 if live else None)(len(all_runs))
    with halves():
        with card("Next step", key="next-step"):
            step = next_step(trace_count, versions, all_runs, evals, tunix=tunix)
            st.markdown(step.text)
            if st.button(
                step.button, type="primary", icon=":material/arrow_forward:", icon_position="right", key="do-next-step"
            ):
                go(step.page, **step.query)
        show_attention([run for run in all_runs if run.status in (RunStatus.FAILED, RunStatus.INTERRUPTED)])
    show_device()


def show_recent_runs(total: int) -> None:
    with error_boundary():
        runs = rt.runs(limit=SHOWN_RUNS).items
        with card("Recent runs", note=f"{len(runs)} of {total}", key="recent-runs"):
            chosen = runs_table(runs, key="recent-runs-table", now=time.time())
            if chosen and tunix:
                go("run", run=chosen)


def show_attention(troubled: list[Run]) -> None:
    with card("Needs attention", note=plural(len(troubled), "run") if troubled else "", key="attention"):
        if not troubled:
            st.caption("Nothing. Runs that fail or are cut off appear here.")
        for run in troubled[:3]:
            with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
                with st.container(width="stretch"):
                    blocks.facts(
                        run.id,
                        STATE_WORDS[run.status],
                        "red" if run.status is RunStatus.FAILED else "amber",
                        run.message or "No reason was recorded.",
                    )
                if tunix and st.button("View run", key=f"view-{run.id}"):
                    go("run", run=run.id)


def show_device() -> None:
    host = rt.host()
    with card("Device", note=tunix_words(), key="device-card"):
        st.caption(
            f"{host.device} · {plural(host.cores, 'CPU core')} · {size(host.memory_bytes)} memory · "
            f"{size(host.disk_free_bytes)} disk free"
        )


rt = get_pipeline()
tunix = rt.tunix_status().available
count = rt.count_traces()
if count or rt.dataset_versions() or rt.runs(limit=1).items:
    show_home(count)
else:
    show_empty_home()
