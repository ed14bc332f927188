"""Two traces side by side: aligned steps, the words that differ, and the first divergence marked."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from app import blocks
from app.components import card, halves
from app.trace_reader import StepScores, step_scores
from tunixrt_core.errors import NotFound
from tunixrt_core.pipeline import Pipeline
from tunixrt_core.quality import answer_matches
from tunixrt_core.store.query import StoredTrace, TraceQuery
from tunixrt_core.trace_diff import Piece, StepPair, TraceDiff
from tunixrt_core.traces import Step


def show_compare(rt: Pipeline, ref: str, other: str) -> None:
    """A trace beside another; where none is named, beside the next one of the same prompt, if there is one."""
    a = rt.trace(ref)
    if not other:
        found = rt.traces(TraceQuery(group=a.trace.group_key), limit=50).items
        other = next((item.id for item in found if item.id != a.id), "")
    wanted = st.text_input(
        "Compare with",
        value=other[:12],
        placeholder="Hash of a trace, at least 8 digits",
        key=f"compare-with-{a.id[:12]}",
    )
    if not wanted:
        st.caption("No other trace has this prompt. Name one by its hash.")
        return
    try:
        b = rt.trace(wanted)
    except NotFound as error:
        st.error(str(error))
        return
    st.query_params["with"] = b.id
    _show(a, b, rt.diff_traces(a.id, b.id))


def _show(a: StoredTrace, b: StoredTrace, diff: TraceDiff) -> None:
    with card("Prompt", "" if diff.same_prompt else "the prompts differ", key="compare-prompt"):
        blocks.prose(a.trace.prompt)
        if not diff.same_prompt:
            blocks.prose(b.trace.prompt)
    with card("Steps", divergence_words(diff), key="compare-steps"):
        blocks.html(steps_table(a, b, diff))
    with halves():
        for name, stored in (("A", a), ("B", b)):
            with card(f"Answer {name}", stored.trace.model or stored.trace.source or "", key=f"answer-{name}"):
                trace = stored.trace
                blocks.answers(trace.final_answer, trace.reference_answer, answer_matches(trace))


def divergence_words(diff: TraceDiff) -> str:
    """Where the traces part, in a sentence."""
    if diff.divergence is None:
        return "All steps are the same."
    if diff.divergence == 0:
        return "The traces diverge at the first step."
    same = "Step 1 is" if diff.divergence == 1 else f"Steps 1–{diff.divergence} are"
    return f"{same} the same. The traces diverge at step {diff.divergence + 1}."


def steps_table(a: StoredTrace, b: StoredTrace, diff: TraceDiff) -> str:
    """The pairs as a table. Markup whose outside text is escaped."""
    scores = [step_scores(stored) for stored in (a, b)]
    rows = "".join(_row(i, pair, i == diff.divergence, scores) for i, pair in enumerate(diff.pairs))
    head = f"<th>#</th><th>A · {a.id[:8]}</th><th>B · {b.id[:8]}</th>"
    table = f"<table class='side steps'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<div class='scroll'>{table}</div>"


def _row(i: int, pair: StepPair, parts_here: bool, scores: Sequence[StepScores]) -> str:
    mark = f"<tr class='parts'><td colspan='3'>First divergence: step {i + 1}</td></tr>" if parts_here else ""
    left = _side(pair.a, pair.a_pieces, scores[0])
    right = _side(pair.b, pair.b_pieces, scores[1])
    css = " class='here'" if parts_here else ""
    return f"{mark}<tr{css}><td class='n'>{i + 1}</td><td>{left}</td><td>{right}</td></tr>"


def _side(step: Step | None, pieces: Sequence[Piece], scores: StepScores) -> str:
    if step is None:
        return "<span class='mut'>No step</span>"
    said = " · ".join(f"{name} {value:g}" for name, value, _ in scores.get(step.i, ()))
    score = f" <span class='mut'>{escape(said)}</span>" if said else ""
    text = "".join(
        escape(piece.text) if piece.same or not piece.text.strip() else f"<ins>{escape(piece.text)}</ins>"
        for piece in pieces
    )
    return f"{blocks.step_type(step.type)}{score}<div class='text'>{text}</div>"
