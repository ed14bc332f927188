"""Two traces side by side, with aligned steps."""

from __future__ import annotations

import streamlit as st

from app.traces.reader import step_scores
from app.traces.step_table import step_table
from app.ui import blocks, turns
from app.ui.components import card, halves
from app.ui.words import one_line
from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.errors import NotFound
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.store.query import StoredTrace, TraceQuery
from tunixrt_core.traces.diff import StepDiff, TraceDiff


def show_compare(rt: Pipeline, ref: str, other: str) -> None:
    """A trace beside another: the one named, or the next one of the same prompt."""
    a = rt.traces.get(ref)
    if not other:
        found = rt.traces.page(TraceQuery(group=a.trace.group_key), limit=50).items
        other = next((item.id for item in found if item.id != a.id), "")
    wanted = st.text_input(
        f"Compare {a.id[:8]} with",
        value=other[:12],
        placeholder="Hash of a trace, at least 8 digits",
        key=f"compare-with-{a.id[:12]}-{other[:12]}",
        width=320,
    )
    if not wanted:
        blocks.prose(one_line(a.trace.prompt, 300))
        st.caption(
            f"No other trace has the prompt of {a.id[:8]}. Enter the hash of one, or choose another trace under Traces."
        )
        return
    try:
        b = rt.traces.get(wanted)
    except NotFound as error:
        st.error(str(error))
        return
    st.query_params["with"] = b.id
    _show(a, b, rt.traces.diff(a.id, b.id))


def _show(a: StoredTrace, b: StoredTrace, diff: TraceDiff) -> None:
    with card("Prompt", _prompt_note(diff), key="compare-prompt"):
        if diff.same_prompt and diff.same_conversation:
            turns.show_prompt(a.trace)
        else:
            with halves():
                for name, stored in (("A", a), ("B", b)):
                    with st.container(key=f"prompt-{name}"):
                        st.markdown(f"**{name} · {stored.id[:8]}**")
                        turns.show_prompt(stored.trace)
    with card("Steps", divergence_words(diff), key="compare-steps"):
        titles = (f"A · {a.id[:8]}", f"B · {b.id[:8]}")
        blocks.html(step_table(diff, titles, [step_scores(stored) for stored in (a, b)]))
    with halves():
        for name, stored in (("A", a), ("B", b)):
            with card(f"Answer {name}", stored.trace.model or stored.trace.source or "", key=f"answer-{name}"):
                trace = stored.trace
                blocks.answers(trace.final_answer, trace.reference_answer, answer_matches(trace))


def _prompt_note(diff: TraceDiff) -> str:
    if not diff.same_prompt:
        return "the prompts differ"
    return "" if diff.same_conversation else "the conversations differ"


def divergence_words(diff: StepDiff, what: str = "traces") -> str:
    """The first difference of the traces, in a sentence."""
    if diff.divergence is None:
        return "All steps are the same."
    if diff.divergence == 0:
        return f"The {what} diverge at the first step."
    same = "Step 1 is" if diff.divergence == 1 else f"Steps 1–{diff.divergence} are"
    return f"{same} the same. The {what} diverge at step {diff.divergence + 1}."
