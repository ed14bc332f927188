"""The form of a dataset spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.state import get_pipeline
from app.ui.boundary import escape_markdown
from app.ui.components import card, foot_bar
from app.ui.visitors import act_button
from app.ui.words import plural
from tunixrt_core.datasets.eval_files.prompts import EvalFile
from tunixrt_core.datasets.gates.registry import GATES
from tunixrt_core.datasets.spec import Allocation, DatasetSpec, Dedupe, Negatives, Selection, SplitBy
from tunixrt_core.errors import TunixRTError
from tunixrt_core.store.query import TraceQuery

_SELECTION_WORDS: dict[Selection, str] = {
    "all": "All that match",
    "latest": "The newest",
    "random": "A random sample",
    "stratified": "A stratified sample",
    "top": "The highest scores",
    "best": "The best right one of each prompt",
    "shortest": "The shortest right one of each prompt",
    "budget": "Up to a token budget",
}
_DEDUPE_WORDS: dict[Dedupe, str] = {"none": "Keep both", "prompt": "Keep one"}
_SPLIT_WORDS: dict[SplitBy, str] = {"prompt": "The same prompt", "near_duplicate": "Prompts almost the same"}
_ALLOCATION_WORDS: dict[Allocation, str] = {"proportional": "By size", "equal": "The same each"}
_NEGATIVES_WORDS: dict[Negatives, str] = {"exclude": "Leave out", "include": "Include"}
_GATE_WORDS: dict[str | None, str] = {None: "Off", "warn": "Report the rows", "exclude": "Leave the rows out"}
_CORRECT_WORDS = {None: "Right or wrong", True: "Right answers", False: "Wrong answers"}


@dataclass(frozen=True, slots=True)
class Asked:
    """The request of the form."""

    spec: DatasetSpec
    eval_file: EvalFile | None


def dataset_form(sources: Sequence[tuple[str, int]], name: str) -> Asked | None:
    """Fields of a dataset spec; the spec once the button was clicked. Raises InvalidDataset naming the field."""
    # no form of Streamlit, so that the plan follows the fields; Enter in a field sets its value and freezes nothing
    with st.container(key="dataset-form"):
        with card("Dataset version", key="dataset-card"):
            fields = _which(sources, name)
        with st.expander("Selection and split", key="dataset-selection-more"):
            fields |= _selection()
        with st.expander("More filters", key="dataset-filters"):
            fields |= _filters()
        with st.expander("Quality gates", key="dataset-gates"):
            gates, file = _gates()
        with foot_bar():
            st.caption(escape_markdown(_plan(fields, gates)), width="content")
            built = act_button("Build dataset", type="primary", icon=":material/dataset:", key="build-dataset")
    return Asked(DatasetSpec(**fields, gates=gates), file) if built else None


def _plan(fields: dict[str, Any], gates: dict[str, Any]) -> str:
    """What would be built: `657 traces match, 10% of the prompts held back for evaluation`; or what is wrong."""
    try:
        spec = DatasetSpec(**fields, gates=gates)
        matching = get_pipeline().traces.count(TraceQuery(**spec.filters()))
    except TunixRTError as error:
        return str(error)
    taken = "" if spec.limit is None or spec.limit >= matching else f", at most {spec.limit:,} are taken"
    checked = f", {plural(len(gates), 'quality gate')}" if gates else ""
    match = f"{matching.words} {'trace matches' if matching == 1 else 'traces match'}"
    return f"{match}{taken}, {100 * spec.eval_share:g}% of the prompts held back for evaluation{checked}"


def _which(sources: Sequence[tuple[str, int]], name: str) -> dict[str, Any]:
    counts = dict(sources)
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
        "At most",
        min_value=1,
        value=None,
        placeholder="no limit",
        key="dataset-limit",
        help="Maximum number of traces to select. Default: no limit.",
    )
    share = left.number_input(
        "Eval share (%)",
        0.0,
        90.0,
        10.0,
        1.0,
        format="%g",
        key="dataset-share",
        help="Share of the prompts held back for evaluation, in percent. A prompt is never on both sides.",
    )
    dedupe = right.selectbox(
        "Same prompt twice", list(_DEDUPE_WORDS), format_func=_DEDUPE_WORDS.__getitem__, key="dataset-dedupe"
    )
    return {
        "name": chosen.strip(),
        "source": source,
        "text": text.strip(),
        "selection": selection,
        "limit": limit,
        "eval_share": share / 100,
        "dedupe": dedupe,
    }


def _selection() -> dict[str, Any]:
    left, right = st.columns(2)
    by = left.text_input(
        "By",
        key="dataset-by",
        help="Stratified sample: source, model or meta.KEY. Highest scores, best, budget: the name of a score.",
    )
    allocation = right.selectbox(
        "Strata get", list(_ALLOCATION_WORDS), format_func=_ALLOCATION_WORDS.__getitem__, key="dataset-allocation"
    )
    budget = left.number_input(
        "Token budget",
        min_value=1,
        value=None,
        placeholder="none",
        key="dataset-budget",
        help="Maximum tokens, estimated as bytes divided by 4. Default: none.",
    )
    split_by = right.selectbox(
        "Keep together", list(_SPLIT_WORDS), format_func=_SPLIT_WORDS.__getitem__, key="dataset-split-by"
    )
    seed = left.number_input(
        "Seed", 0, 2**31, 0, key="dataset-seed", help="Seed of the split and of a random sample. Default: 0."
    )
    return {
        "by": by.strip() or None,
        "allocation": allocation,
        "budget": budget,
        "split_by": split_by,
        "seed": seed,
    }


def _filters() -> dict[str, Any]:
    left, right = st.columns(2)
    model = left.text_input("Written by", key="dataset-model", help="Model that wrote the reasoning. Default: any.")
    tags = right.text_input("Tags", key="dataset-tags", help="Tags separated by commas. A trace must have all of them.")
    correct = left.selectbox(
        "Answers", [None, True, False], format_func=_CORRECT_WORDS.__getitem__, key="dataset-correct"
    )
    score = right.text_input("Score", key="dataset-score", help="The name of a score that a trace must have.")
    negatives = left.selectbox(
        "Negative examples",
        list(_NEGATIVES_WORDS),
        format_func=_NEGATIVES_WORDS.__getitem__,
        key="dataset-negatives",
        help="Traces that their file or a person calls wrong, unwanted or rejected.",
    )
    fields: tuple[tuple[str, str, Any, dict[str, Any]], ...] = (
        ("min_score", "Score from", left, {}),
        ("max_score", "Score to", right, {}),
        ("min_steps", "Steps from", left, {"min_value": 0, "step": 1}),
        ("max_steps", "Steps to", right, {"min_value": 0, "step": 1}),
        ("min_length", "Bytes from", left, {"min_value": 0, "step": 1}),
        ("max_length", "Bytes to", right, {"min_value": 0, "step": 1}),
    )
    numbers = {
        name: column.number_input(label, value=None, placeholder="any", key=f"dataset-{name}", **bounds)
        for name, label, column, bounds in fields
    }
    after = left.date_input("Stored from", value=None, key="dataset-after")
    before = right.date_input("Stored before", value=None, key="dataset-before")
    return {
        "model": model.strip() or None,
        "tags": [tag.strip() for tag in tags.split(",") if tag.strip()],
        "correct": correct,
        "negatives": negatives,
        "score": score.strip() or None,
        **numbers,
        "after": after.isoformat() if after else None,
        "before": before.isoformat() if before else None,
    }


def _gates() -> tuple[dict[str, Any], EvalFile | None]:
    st.caption("What a gate finds is listed with the version. Each looks at every row.")
    with st.grid(3, min_column_width=190):
        actions = {
            name: st.selectbox(
                gate.title, list(_GATE_WORDS), format_func=_GATE_WORDS.__getitem__, key=f"gate-{name}", help=gate.about
            )
            for name, gate in GATES.items()
        }
    left, middle, right = st.columns(3)
    settings: dict[str, dict[str, Any]] = {
        "near_duplicate": {
            "threshold": left.number_input(
                "Alike from",
                0.5,
                1.0,
                0.85,
                0.05,
                key="gate-threshold",
                help="Minimum Jaccard similarity of word n-grams, from 0.5 to 1. Default: 0.85.",
            )
        },
        "contamination": {
            "ngram": middle.number_input(
                "Words of an overlap",
                5,
                50,
                13,
                key="gate-ngram",
                help="Words in a row that count as an overlap. Default: 13; 8 finds more.",
            )
        },
        "too_long": {
            "most": right.number_input(
                "Longest row (tokens)",
                1,
                1 << 30,
                4096,
                key="gate-most",
                help="Maximum tokens per row, estimated as bytes divided by 4. Default: 4096.",
            )
        },
    }
    upload = st.file_uploader(
        "Eval file",
        key="gate-eval-file",
        help="File whose prompts are compared with the train rows. Only its hashes are kept.",
    )
    chosen = {name: action for name, action in actions.items() if action is not None}
    if upload is not None:
        chosen.setdefault("contamination", "warn")
    gates = {name: {"action": action, **settings.get(name, {})} for name, action in chosen.items()}
    return gates, EvalFile(upload.name, upload.getvalue()) if upload is not None else None
