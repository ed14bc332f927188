"""Filters of the Traces page, kept in the address."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app.ui.address import kept_in_address
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.store.query import TraceQuery

ALL = "All sources"
ANY = "Any"
CHIPS = ("Answer differs", "Answer right", "No reference", "Noted", "Scored")
# the widgets' keys are also their names in the address
BLANK: dict[str, Any] = {
    "q": "",
    "source": ALL,
    "chips": [],
    "model": ANY,
    "tags": [],
    "score": ANY,
    "min-score": None,
    "max-score": None,
    "min-steps": None,
    "max-steps": None,
    "min-bytes": None,
    "max-bytes": None,
    "since": None,
    "until": None,
}


def filters(rt: Pipeline) -> TraceQuery:
    """Draw the filters and read them. Raises InvalidQuery."""
    bound: dict[str, Any] = {"bind": "query-params", "on_change": to_newest}
    with st.container(horizontal=True, vertical_alignment="center", key="filters"):
        st.text_input(
            "Search",
            type="search",
            placeholder="Search prompts, steps and answers",
            label_visibility="collapsed",
            key="q",
            width=235,
            **bound,
        )
        _choice("Source", ALL, rt.traces.sources(), key="source", width=150, label_visibility="collapsed")
        st.pills("Show only", CHIPS, selection_mode="multi", key="chips", label_visibility="collapsed", **bound)
        more = sum(1 for name in list(BLANK)[3:] if st.session_state.get(name) not in (None, [], ANY))
        with st.popover(f"More filters{f' ({more})' if more else ''}", icon=":material/tune:", width="content"):
            _more(rt, bound)
    group = st.query_params.get("group")
    if group and st.button("One prompt only", icon=":material/close:", key="leave-group", help="Show all prompts."):
        st.query_params.pop("group")
        st.rerun()
    return _query(group)


def _more(rt: Pipeline, bound: dict[str, Any]) -> None:
    _choice("Model", ANY, rt.traces.models(), key="model")
    st.multiselect("Tags, all of them", [tag for tag, _ in rt.traces.tags()], key="tags", **bound)
    names = sorted({one.name for one in rt.traces.score_names()})
    st.selectbox("Score", [ANY, *names], key="score", **bound)
    for left, right, words, step in (
        ("min-score", "max-score", "Score", 0.1),
        ("min-steps", "max-steps", "Steps", 1),
        ("min-bytes", "max-bytes", "Bytes", 1),
    ):
        with st.container(horizontal=True):
            off = words == "Score" and st.session_state["score"] == ANY
            for key, end in ((left, "from"), (right, "to")):
                st.number_input(f"{words} {end}", value=None, step=step, key=key, disabled=off, **bound)
    with st.container(horizontal=True):
        st.date_input("Stored from", value=None, key="since", **bound)
        st.date_input("before", value=None, key="until", **bound)


def _choice(label: str, none: str, counts: list[tuple[str, int]], *, key: str, **layout: Any) -> None:
    known = dict(counts)
    options = [none, *known]
    st.selectbox(
        label,
        options,
        format_func=lambda name: f"{name} ({known[name]:,})" if name in known else name,
        key=key,
        on_change=kept_in_address(key, options, none, key=key, then=to_newest),
        **layout,
    )


def _query(group: str | None) -> TraceQuery:
    state = {name: st.session_state.get(name, blank) for name, blank in BLANK.items()}
    chips = state["chips"] or []
    right, differs = "Answer right" in chips, "Answer differs" in chips
    score = None if state["score"] in (ANY, None) else state["score"]
    return TraceQuery(
        text=(state["q"] or "").strip(),
        source=None if state["source"] in (ALL, None) else state["source"],
        model=None if state["model"] in (ANY, None) else state["model"],
        tags=tuple(state["tags"] or ()),
        correct=right if right != differs else None,
        judged=False if "No reference" in chips else True if right and differs else None,
        score=score,
        min_score=state["min-score"] if score else None,
        max_score=state["max-score"] if score else None,
        score_kind="human" if "Scored" in chips else None,
        min_steps=state["min-steps"],
        max_steps=state["max-steps"],
        min_length=state["min-bytes"],
        max_length=state["max-bytes"],
        after=_midnight(state["since"]),
        before=_midnight(state["until"]),
        noted=True if "Noted" in chips else None,
        group=group,
    )


def address_of(query: TraceQuery) -> str:
    """The filters as the query of an address of the API: `?q=two+apples&tag=good`; empty without any."""
    values = {_IN_API.get(name, name): _in_address(value) for name, value in query.asked().items()}
    return f"?{urlencode(values, doseq=True)}" if values else ""


def _in_address(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else value


# names of filters in the API that differ from those of a TraceQuery
_IN_API = {"text": "q", "tags": "tag", "after": "stored_after", "before": "stored_before"}


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def clear_filters() -> None:
    for name, blank in BLANK.items():
        st.session_state[name] = list(blank) if isinstance(blank, list) else blank
    for name in ("group", "source", "model"):
        st.query_params.pop(name, None)
    to_newest()


def to_newest() -> None:
    st.query_params.pop("trace", None)
