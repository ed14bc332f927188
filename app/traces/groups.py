"""Prompt groups: accuracy and agreement of the traces of one prompt."""

from __future__ import annotations

import streamlit as st

from app.component.element import element
from app.ui.components import empty_state
from tunixrt_core.pipeline.pipeline import Pipeline


def show_groups(rt: Pipeline) -> None:
    """A list of prompts, each of which opens the list of its traces."""
    if not rt.traces.prompt_groups(limit=1).items:
        with empty_state(
            "No prompt has several traces yet",
            "Import several answers to the same prompts, such as samples of a model, to see how often they are right.",
            key="no-groups",
        ):
            pass
        return
    st.caption("Prompts with several traces. A row opens the traces of its prompt.")
    element(
        "listing",
        key="group-list",
        what="groups",
        url="/api/traces/groups?limit=60",
        version=str(rt.traces.count()),
        shown=None,
        label="Prompts with several traces",
        rows=20,
    )
