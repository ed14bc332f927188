"""Traces: search, filter, read, score, compare, delete."""

from __future__ import annotations

import streamlit as st

from app.component.element import element
from app.state import get_pipeline
from app.traces.compare import show_compare
from app.traces.filters import address_of, clear_filters, filters
from app.traces.groups import show_groups
from app.traces.judging import judge_of, show_said
from app.traces.origin import show_origin
from app.ui import blocks
from app.ui.boundary import escape_markdown, show_error
from app.ui.components import empty_state, header, narrow_and_wide
from app.ui.navigation import go
from app.ui.visitors import act_button
from app.ui.words import one_line, plural, short_hash
from tunixrt_core.datasets.held import held_words
from tunixrt_core.errors import NotFound
from tunixrt_core.store.query import Count, StoredTrace, TraceQuery

MOST_COUNTED = 1_000  # counting more of a million traces would delay the page
VIEWS = ("Traces", "Prompt groups", "Compare")


def show_list(query: TraceQuery, matching: Count, shown: StoredTrace | None) -> None:
    """The list, which loads its rows itself."""
    element(
        "tracelist",
        key="trace-list",
        url=f"/api/traces/summaries{address_of(query)}",
        version=str(total),
        shown=shown.id if shown else None,
        total=f"{matching.words} {'trace' if matching == 1 else 'traces'}",
    )


def chosen_trace(query: TraceQuery) -> StoredTrace | None:
    """The trace in the address, else the newest one that matches."""
    if ref := st.query_params.get("trace"):
        try:
            return rt.traces.get(ref)
        except NotFound as error:
            show_error(error)
            return None
    return next(iter(rt.traces.page(query, limit=1).items), None)


def show_reader(stored: StoredTrace) -> None:
    with st.container(key="reader", gap="xsmall"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="xsmall"):
                st.markdown(f"**{stored.id[:8]}**", width="content")
                if stored.trace.source:
                    blocks.chip(stored.trace.source)
            with st.container(horizontal=True, width="content", gap="xsmall"):
                if rt.home.tunix_status().available and st.button(
                    "Open in playground", icon=":material/chat:", key="to-playground", type="tertiary"
                ):
                    go("playground", trace=stored.id)
                if act_button("Delete", icon=":material/delete:", key="delete-trace", type="tertiary"):
                    confirm_delete(stored)
        element(
            "reader",
            key="trace-reader",
            url=f"/api/traces/{stored.id}/reading",
            judge=judge_of(stored.id),
            label=f"Trace {stored.id[:8]}",
            fill=True,
        )
        with st.expander("Tags and note", key="said"):
            show_said(rt, stored)
        show_origin(stored)


@st.dialog("Delete trace")
def confirm_delete(stored: StoredTrace) -> None:
    st.markdown(
        f"**{short_hash(stored.id)}** will be deleted. Dataset versions that contain it still list it; new exports of "
        "them will lack it, and files exported before keep it. Importing the trace again restores it."
    )
    blocks.prose(one_line(stored.trace.prompt, 200))
    for line in held_words(rt.traces.held_by(stored.id)):
        st.markdown(escape_markdown(f"Dataset {line}."))
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep trace", key="keep-trace"):
            st.rerun()
        if act_button("Delete trace", type="primary", key="confirm-delete"):
            rt.traces.delete(stored.id)
            st.query_params.pop("trace", None)
            st.rerun()


def show_no_hits(query: TraceQuery) -> None:
    what = f"“{query.text}”" if query.text else "these filters"
    where = f" in {query.source}" if query.text and query.source else ""
    with empty_state(f"No traces match {escape_markdown(what + where)}", "Try fewer or shorter words.", key="no-hits"):
        st.button("Clear filters", key="clear-filters", on_click=clear_filters)


def show_views() -> str:
    """The chosen one of the three views; it is in the address."""
    if "next-view" in st.session_state:  # a button of the page opens another view
        st.session_state["view"] = st.session_state.pop("next-view")
    chosen = st.segmented_control(
        "View", VIEWS, default=VIEWS[0], required=True, key="view", label_visibility="collapsed", bind="query-params"
    )
    return str(chosen)


def show_traces() -> None:
    wanted = filters(rt)
    found = rt.traces.count(wanted, most=MOST_COUNTED)
    if not found:
        show_no_hits(wanted)
        return
    shown = chosen_trace(wanted)
    left, right = narrow_and_wide()
    with left:
        show_list(wanted, found, shown)
    if shown is not None:
        with right:
            show_reader(shown)


rt = get_pipeline()
total = rt.traces.count()
with header("Traces", f"{plural(total, 'trace')} · {plural(len(rt.traces.sources()), 'source')}"):
    if total and st.button("Build a dataset", icon=":material/dataset:", key="go-datasets"):
        go("datasets", new="1")
    if st.button("Import traces", type="primary", icon=":material/upload:", key="go-import"):
        go("import")
if not total:
    with empty_state(
        "No traces yet",
        "A trace is a prompt, reasoning steps and an answer. Import a file, or start with the examples.",
        key="no-traces",
    ):
        if st.button("Load the bundled examples", key="go-examples"):
            go("import")
else:
    view = show_views()
    if view == "Prompt groups":
        show_groups(rt)
    elif view == "Compare":
        newest = rt.traces.page(limit=1).items[0].id
        show_compare(rt, st.query_params.get("trace", newest), st.query_params.get("with", ""))
    else:
        show_traces()
