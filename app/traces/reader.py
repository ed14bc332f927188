"""Reader of one trace: prompt, steps, answers, doubts, origin, JSON."""

from __future__ import annotations

import orjson
import streamlit as st

from app.traces.step_table import StepScores
from app.ui import blocks, turns
from app.ui.words import MISSING, moment, plural
from tunixrt_core.datasets.gates.lints import lint
from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.store.query import StoredTrace
from tunixrt_core.traces.scores import GivenScore


def show_trace(stored: StoredTrace) -> None:
    """One trace, in reading order."""
    trace = stored.trace
    if trace.system:
        st.caption("System prompt")
        blocks.prose(trace.system)
    turns.show_prompt(trace, named=True)
    st.caption(f"Reasoning · {plural(len(trace.steps), 'step')}")
    blocks.timeline(trace.steps, step_scores(stored))
    turns.show_calls(trace.conversation.calls)
    blocks.answers(trace.final_answer, trace.reference_answer, answer_matches(trace))
    for human, label in ((True, "Scores by people"), (False, "Automatic scores")):
        whole = [one.given for one in stored.scores if one.given.step is None and (one.given.kind == "human") is human]
        if whole:
            st.caption(label)
            blocks.key_values([(given.name, f"{given.value:g} · {scorer_words(given)}") for given in whole])
    for doubt in lint(trace):
        blocks.facts("", "Check", "amber", doubt)


def step_scores(stored: StoredTrace) -> StepScores:
    """The scores of single steps, by step."""
    found: dict[int, list[tuple[str, float, str]]] = {}
    for one in stored.scores:
        if one.given.step is not None:
            found.setdefault(one.given.step, []).append((one.given.name, one.given.value, scorer_words(one.given)))
    return found


def scorer_words(given: GivenScore) -> str:
    """The source of a score: a person by name, a scorer by name and version."""
    return given.scorer if given.kind == "human" else f"{given.scorer} {given.version}".strip()


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
    with st.expander("JSON", key="raw-json"):
        st.code(orjson.dumps(trace.to_dict(), option=orjson.OPT_INDENT_2).decode(), language="json", wrap_lines=True)
