"""Two traces side by side, with aligned steps."""

from __future__ import annotations

import streamlit as st

from app.traces.origin import step_scores
from app.traces.step_table import step_table
from app.ui import blocks
from app.ui.components import card, halves
from app.ui.reading.reader import show_reading
from app.ui.reading.values import reading_of
from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.store.query import StoredTrace, TraceQuery
from tunixrt_core.traces.diff import StepDiff, TraceDiff


def show_compare(rt: Pipeline, ref: str, other: str) -> None:
    """A trace beside another: the one in the address, or the next one of the same prompt. Raises NotFound."""
    a = rt.traces.get(ref)
    if not other:
        found = rt.traces.page(TraceQuery(group=a.trace.group_key), limit=50).items
        other = next((item.id for item in found if item.id != a.id), "")
    if not other:
        st.caption(f"No other trace has the prompt of {a.id[:8]}. Choose two rows of the list to compare them.")
        _choose_others("Choose two traces")
        return
    b = rt.traces.get(other)
    st.query_params["with"] = b.id
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{a.id[:8]}** and **{b.id[:8]}**", width="content")
        _choose_others("Choose two others")
    _show(a, b, rt.traces.diff(a.id, b.id))


def _choose_others(label: str) -> None:
    if st.button(label, icon=":material/checklist:", key="choose-others"):
        st.session_state["next-view"] = "Traces"
        st.query_params.pop("with", None)
        st.rerun()


def _show(a: StoredTrace, b: StoredTrace, diff: TraceDiff) -> None:
    with card("Prompt", _prompt_note(diff), key="compare-prompt"):
        if diff.same_prompt and diff.same_conversation:
            _show_prompt(a, "A")
        else:
            with halves():
                for name, stored in (("A", a), ("B", b)):
                    with st.container(key=f"prompt-{name}"):
                        st.markdown(f"**{name} · {stored.id[:8]}**")
                        _show_prompt(stored, name)
    with card("Steps", divergence_words(diff), key="compare-steps"):
        titles = (f"A · {a.id[:8]}", f"B · {b.id[:8]}")
        blocks.html(step_table(diff, titles, [step_scores(stored) for stored in (a, b)]))
    with halves():
        for name, stored in (("A", a), ("B", b)):
            trace = stored.trace
            with card(f"Answer {name}", trace.model or trace.source or "", key=f"answer-{name}"):
                said = reading_of(
                    answer=trace.final_answer, reference=trace.reference_answer, matches=answer_matches(trace)
                )
                show_reading(said, f"Answer {name}", key=f"answer-text-{name}")


def _show_prompt(stored: StoredTrace, name: str) -> None:
    trace = stored.trace
    asked = reading_of(prompt=trace.prompt, system=trace.system, talk=trace.conversation.without_calls())
    show_reading(asked, f"Prompt {name}", key=f"prompt-text-{name}")


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
