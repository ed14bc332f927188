"""The form of a dataset spec."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from tunixrt_core.datasets import DatasetSpec, Dedupe, Selection

_SELECTION_WORDS: dict[Selection, str] = {"all": "All that match", "latest": "The newest", "random": "A random sample"}
_DEDUPE_WORDS: dict[Dedupe, str] = {"none": "Keep both", "prompt": "Keep one"}


def dataset_form(sources: Sequence[tuple[str, int]], name: str) -> DatasetSpec | None:
    """Fields of a dataset spec; the spec when the button was pressed. Raises InvalidDataset naming the field."""
    counts = dict(sources)
    with st.form("dataset-form", border=False):
        left, right = st.columns(2)
        chosen = left.text_input(
            "Name", value=name, key="dataset-name", help="Small letters, digits, dot, dash, underscore."
        )
        source = right.selectbox(
            "Source",
            [None, *counts],
            format_func=lambda s: f"{s} ({counts[s]:,})" if s else f"All sources ({sum(counts.values()):,})",
            key="dataset-source",
        )
        text = left.text_input("Search text", key="dataset-text", help="Only traces that match, as on the Traces page.")
        selection = right.selectbox(
            "Selection", list(_SELECTION_WORDS), format_func=_SELECTION_WORDS.__getitem__, key="dataset-selection"
        )
        limit = left.number_input(
            "At most", min_value=1, value=None, placeholder="no limit", key="dataset-limit", help="Traces to take."
        )
        share = right.number_input(
            "Eval share (%)",
            0.0,
            90.0,
            10.0,
            1.0,
            format="%g",
            key="dataset-share",
            help="Share of the prompts held back for evaluation. One prompt never stands on both sides.",
        )
        seed = left.number_input("Seed", 0, 2**31, 0, key="dataset-seed", help="Decides the split and a random sample.")
        dedupe = right.selectbox(
            "Same prompt twice",
            list(_DEDUPE_WORDS),
            format_func=_DEDUPE_WORDS.__getitem__,
            key="dataset-dedupe",
        )
        if not st.form_submit_button("Build dataset", type="primary", icon=":material/dataset:", key="build-dataset"):
            return None
    return DatasetSpec(
        name=chosen.strip(),
        source=source,
        text=text.strip(),
        selection=selection,
        limit=limit,
        seed=seed,
        eval_share=share / 100,
        dedupe=dedupe,
    )
