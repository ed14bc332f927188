"""Prompt groups: accuracy and agreement of the traces of one prompt."""

from __future__ import annotations

import streamlit as st

from app.ui.components import empty_state, pick_row
from app.ui.words import one_line, percent, plural
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.store.query import PromptGroup

PAGE_ROWS = 12


def show_groups(rt: Pipeline) -> None:
    """A table of prompts; choosing one opens the list of its traces."""
    here = st.query_params.get("groups")
    page = rt.traces.prompt_groups(after=here, limit=PAGE_ROWS)
    if not page.items and not here:
        with empty_state(
            "No prompt has several traces yet",
            "Import several answers to the same prompts, such as samples of a model, to see how often they are right.",
            key="no-groups",
        ):
            pass
        return
    chosen = pick_row(
        [_row(group) for group in page.items],
        {
            "prompt": st.column_config.TextColumn("Prompt", width=200),
            "traces": st.column_config.NumberColumn("Traces", width=70),
            "pass": st.column_config.TextColumn("Pass rate", width=90),
            "right": st.column_config.NumberColumn("Right", width=65),
            "wrong": st.column_config.NumberColumn("Wrong", width=65),
            "answers": st.column_config.NumberColumn("Answers", width=80, help="Number of different final answers."),
            "shortest": st.column_config.TextColumn("Shortest right", width=110),
        },
        key=f"group-list-{here or ''}",
        alt=f"{plural(len(page.items), 'prompt')} with several traces.",
    )
    if chosen is not None:
        st.query_params.from_dict({"group": page.items[chosen].key})
        st.session_state["next-view"] = "Traces"
        st.rerun()
    with st.container(horizontal=True, horizontal_alignment="right", key="group-pager", gap="xsmall"):
        if here and st.button("First page", key="first-groups", icon=":material/first_page:"):
            st.query_params.pop("groups")
            st.rerun()
        if page.next and st.button("More prompts", key="more-groups", icon=":material/chevron_right:"):
            st.query_params["groups"] = page.next
            st.rerun()


def _row(group: PromptGroup) -> dict[str, object]:
    return {
        "prompt": one_line(group.prompt, 160),
        "traces": group.traces,
        "pass": percent(group.pass_rate),
        "right": group.right,
        "wrong": group.wrong,
        "answers": group.answers,
        "shortest": (group.shortest_right or "")[:8] or None,
    }
