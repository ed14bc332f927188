"""Traces: search, filter, read, score, compare, delete."""

from __future__ import annotations

import streamlit as st

from app.state import get_pipeline
from app.traces.compare import show_compare
from app.traces.filters import clear_filters, filters
from app.traces.groups import show_groups
from app.traces.judging import show_judging
from app.traces.reader import show_origin, show_trace
from app.ui import blocks
from app.ui.boundary import escape_markdown
from app.ui.components import empty_state, halves, header, pick_row
from app.ui.navigation import go
from app.ui.words import one_line, plural, short_hash
from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.datasets.held import held_words
from tunixrt_core.store.query import Count, StoredTrace, TraceQuery

PAGE_ROWS = 12
MOST_COUNTED = 1_000  # counting more of a million traces would delay the page
VIEWS = ("Traces", "Prompt groups", "Compare")
MATCH_WORDS = {True: "Match", False: "Differs", None: "Unclear"}
NO_REFERENCE = "No reference"


def show_list(query: TraceQuery, matching: Count, shown: str | None) -> str | None:
    """The table of one page, with paging buttons; the id of the chosen trace."""
    page = rt.traces.page(query, after=st.query_params.get("after"), limit=PAGE_ROWS)
    ids = [item.id for item in page.items]
    if not ids:
        st.caption("This page has no traces any more.")
    current = shown or (ids[0] if ids else None)
    chosen = pick_row(
        [row(item) for item in page.items],
        {
            "prompt": st.column_config.TextColumn("Prompt", width=215),
            "steps": st.column_config.NumberColumn("Steps", width=55),
            "source": st.column_config.TextColumn("Source", width=80),
            "answer": st.column_config.MultiselectColumn(
                "Answer",
                options=[*MATCH_WORDS.values(), NO_REFERENCE],
                color=["green", "orange", "gray", "gray"],
                width=100,
            ),
        },
        key=f"trace-list-{st.query_params.get('after', '')}",
        alt=f"{plural(len(ids), 'trace')} of {matching.words}, newest first.",
        selected=ids.index(current) if current in ids else None,
    )
    show_pager(page.next, matching)
    if chosen is not None and ids[chosen] != current:
        st.query_params["trace"] = current = ids[chosen]
    return current


def row(item: StoredTrace) -> dict[str, object]:
    trace = item.trace
    return {
        "prompt": one_line(trace.prompt, 120),
        "steps": len(trace.steps),
        "source": trace.source,
        "answer": [NO_REFERENCE if trace.reference_answer is None else MATCH_WORDS[answer_matches(trace)]],
    }


def show_pager(following: str | None, matching: Count) -> None:
    """Keyset paging: forward by the cursor of the page, back by the cursors that led here."""
    newer: list[str] = st.session_state.setdefault("newer", [])
    here = st.query_params.get("after")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="pager"):
        st.caption(f"{matching.words} {'trace' if matching == 1 else 'traces'}", width="content")
        with st.container(horizontal=True, width="content", gap="xsmall"):
            if here and not newer and st.button("First page", key="first-page", icon=":material/first_page:"):
                turn_to(None)
            if here and newer and st.button("Newer", key="newer-page", icon=":material/chevron_left:"):
                turn_to(newer.pop())
            if following and st.button(
                "Older", key="older-page", icon=":material/chevron_right:", icon_position="right"
            ):
                newer.append(here or "")
                turn_to(following)


def turn_to(cursor: str | None) -> None:
    st.query_params.pop("trace", None)
    if cursor:
        st.query_params["after"] = cursor
    else:
        st.query_params.pop("after", None)
    st.rerun()


def show_reader(ref: str, query: TraceQuery) -> None:
    stored = rt.traces.get(ref)
    trace = stored.trace
    before, after = rt.traces.neighbours(stored.id, query)
    with st.container(border=True, key="reader", height="stretch"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="xsmall"):
                st.markdown(f"**{stored.id[:8]}**", width="content")
                if trace.source:
                    blocks.chip(trace.source)
            with st.container(horizontal=True, width="content", gap="xsmall"):
                step_button("Previous", before, "chevron_left", "previous-trace", "K")
                step_button("Next", after, "chevron_right", "next-trace", "J")
                if st.button("Compare", icon=":material/compare:", key="compare-trace", type="tertiary"):
                    st.session_state["next-view"] = "Compare"
                    st.query_params.pop("with", None)
                    st.query_params["trace"] = stored.id
                    st.rerun()
                if st.button("Delete", icon=":material/delete:", key="delete-trace", type="tertiary"):
                    confirm_delete(stored)
        show_trace(stored)
        if rt.home.tunix_status().available and st.button(
            "Open in playground", icon=":material/chat:", key="to-playground"
        ):
            go("playground", trace=stored.id)
        show_judging(rt, stored)
        show_origin(stored)


def step_button(label: str, ref: str | None, icon: str, key: str, shortcut: str) -> None:
    if st.button(label, icon=f":material/{icon}:", key=key, disabled=ref is None, type="tertiary", shortcut=shortcut):
        st.query_params["trace"] = str(ref)
        st.rerun()


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
        if st.button("Delete trace", type="primary", key="confirm-delete"):
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
    with halves():
        with st.container(key="list"):
            reading = show_list(wanted, found, st.query_params.get("trace"))
        if reading:
            show_reader(reading, wanted)


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
