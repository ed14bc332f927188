"""Overview: contents, activity, attention and the next step."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.component.element import element
from app.evaluations.evaluated import metric_words
from app.overview.attention import show_attention
from app.overview.device import show_device_card
from app.overview.next_step import next_step
from app.state import get_pipeline
from app.ui.boundary import error_boundary, escape_markdown
from app.ui.components import card, empty_state, halves, header
from app.ui.navigation import go
from app.ui.visitors import act_button
from app.ui.words import MISSING, percent, place, plural, whole
from tunixrt_core.home.overview import BestScore, Overview
from tunixrt_core.runs.record import Run
from tunixrt_core.store.query import Growth

SHOWN_RUNS = 6
METRIC = "exact_match"
TICK = 3  # seconds between updates while a job runs


def show_empty_home() -> None:
    with header("Overview", f"Home: {place(rt.settings.home)}"):
        pass
    with empty_state(
        "Nothing here yet",
        "From reasoning traces to a tuned model: import, build a dataset, train, evaluate. "
        "The bundled examples cover all steps in about five minutes.",
        key="empty-home",
    ):
        if act_button("Load example traces", type="primary", icon=":material/auto_awesome:", key="load-examples"):
            with st.spinner("Loading the example traces"):
                stored = rt.traces.ingest_examples().inserted
            # told by the page that follows: a toast ends with its page
            st.session_state["examples-stored"] = f"{plural(stored, 'example trace')} stored. Next: a dataset of them."
            go("datasets", new="1")
        if st.button("Upload a JSONL file", icon=":material/upload:", key="begin-upload"):
            go("import", source="Upload")
        if st.button("Use a file on the server", icon=":material/folder_open:", key="begin-path"):
            go("import", source="Server path")
    show_device()


def show_home(home: Overview) -> None:
    with header("Overview", f"Home: {place(rt.settings.home)}"):
        if st.button("Import traces", icon=":material/upload:", key="go-import"):
            go("import")
        if tunix and st.button("New run", icon=":material/add:", key="go-new-run"):
            go("new-run")
    show_counts(home)
    if home.newest_runs:
        show_recent_runs(home)
    items = rt.home.attention(home.evaluations)
    with halves():
        if items:
            show_attention(items, tunix=tunix)
            with st.container(height="stretch", key="beside-attention"):
                show_next_step(home)
                show_device()
        else:
            show_next_step(home, note="nothing needs attention")
            show_device()


def show_counts(home: Overview) -> None:
    with st.container(key="counts"), st.grid(4, min_column_width=170):
        show_growth("Traces", home.traces)
        show_growth("Dataset versions", home.dataset_versions)
        show_growth("Runs", home.runs)
        show_best(home.best)


def show_growth(label: str, count: Growth) -> None:
    st.metric(
        label,
        whole(count.total),
        f"{count.new:,}",
        delta_color="normal" if count.new else "off",
        delta_arrow="auto" if count.new else "off",
        delta_description="this week",
    )


def show_best(best: BestScore | None) -> None:
    compared = best is not None and best.over_base is not None
    over = 100 * best.over_base if best is not None and best.over_base is not None else 0.0
    st.metric(
        f"Best {metric_words(METRIC).lower()}",
        MISSING if best is None else percent(best.value),
        f"{over:+.1f} over base" if compared else ("base not evaluated" if best else "no evaluation yet"),
        delta_color="normal" if compared and over else "off",
        delta_arrow="auto" if compared and over else "off",
        help=f"Of {best.record.run_id}, train step {whole(best.record.train_step)}. Over its base model: in points."
        if best
        else "Of tuned models.",
    )


def show_recent_runs(home: Overview) -> None:
    newest = home.newest_runs
    with card("Recent runs", note=f"{min(SHOWN_RUNS, len(newest))} of {home.runs.total:,}", key="recent-runs"):
        element(
            "listing",
            key="recent-runs-list",
            what="recent",
            url=f"/api/runs/recent?limit={SHOWN_RUNS}",
            version=" ".join(f"{run.id}:{run.status}" for run in newest),
            page="/run?run=" if tunix else None,
            shown=None,
            label="The newest runs with state, loss and results",
            rows=SHOWN_RUNS,
        )
    if any(not run.status.over for run in newest):
        st.fragment(follow_runs, run_every=TICK)(newest)


def follow_runs(before: Sequence[Run]) -> None:
    with error_boundary():
        if changed(before, rt.runs.page(limit=SHOWN_RUNS).items):
            st.rerun()  # the next step and the attention items have changed


def changed(before: Sequence[Run], now: Sequence[Run]) -> bool:
    """Whether a run started or ended between two updates."""
    return [(run.id, run.status.over) for run in before] != [(run.id, run.status.over) for run in now]


def show_next_step(home: Overview, note: str = "") -> None:
    versions = [home.newest_version] if home.newest_version else []
    with card("Next step", note=note, key="next-step"):
        step = next_step(home.traces.total, versions, home.newest_runs, home.evaluations, tunix=tunix)
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(escape_markdown(step.text), width="stretch")
            if st.button(
                step.button, type="primary", icon=":material/arrow_forward:", icon_position="right", key="do-next-step"
            ):
                go(step.page, **step.query)


def show_device() -> None:
    busy, measuring = rt.queue.state().holder is not None, rt.home.disk_use() is None
    st.fragment(show_device_safely, run_every=TICK if busy else 1 if measuring else None)(measuring)


def show_device_safely(measuring: bool) -> None:
    with error_boundary():
        if measuring and rt.home.disk_use() is not None:
            st.rerun()  # measured, so no more updates every second
        show_device_card()


rt = get_pipeline()
tunix = rt.home.tunix_status().available
overview = rt.home.overview(metric=METRIC, shown=SHOWN_RUNS)
if overview.traces.total or overview.dataset_versions.total or overview.runs.total:
    show_home(overview)
else:
    show_empty_home()
