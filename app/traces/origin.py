"""Origin of a trace, its JSON, and its scores by step."""

from __future__ import annotations

import orjson
import streamlit as st

from app.traces.step_table import StepScores
from app.ui import blocks
from app.ui.words import MISSING, moment
from tunixrt_core.store.query import StoredTrace


def step_scores(stored: StoredTrace) -> StepScores:
    """The scores of single steps, by step."""
    found: dict[int, list[tuple[str, float]]] = {}
    for one in stored.scores:
        if one.given.step is not None:
            found.setdefault(one.given.step, []).append((one.given.name, one.given.value))
    return found


def show_origin(stored: StoredTrace) -> None:
    """The origin of a trace, and its JSON."""
    trace = stored.trace
    with st.expander("Provenance", key="provenance"):
        blocks.key_values(
            [
                ("Hash", stored.id),
                ("Group", trace.group_key),
                ("Stored", moment(stored.created_at)),
                ("Source", trace.source or MISSING),
                ("Written by", trace.model or MISSING),
                ("Size", f"{len(trace.canonical):,} bytes"),
            ]
        )
    # a closed one sends nothing: a trace can be a megabyte
    json = st.expander("JSON", key="raw-json", on_change="rerun")
    if json.open:
        text = orjson.dumps(trace.to_dict(), option=orjson.OPT_INDENT_2).decode()
        json.code(text, language="json", wrap_lines=True, height=420)
