"""Warning about eval rows that the run was trained on."""

from __future__ import annotations

import streamlit as st

from app.evaluations.evaluated import Side
from app.state import get_pipeline
from app.ui import blocks
from app.ui.components import card
from app.ui.navigation import go
from app.ui.words import plural
from tunixrt_core.datasets.gates.texts import asked_texts
from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.sets.leaks import Leak, Leaks
from tunixrt_core.traces.conversation import conversation_of

SHOWN = 20


def show_leaks(side: Side) -> None:
    """The warning, or one line if no leak was found."""
    leaks = get_pipeline().evaluations.leaks(side.record.id)
    if leaks is None:
        return
    if not leaks.findings:
        st.caption(
            f"None of the {plural(leaks.eval_rows, 'prompt')} is in the {leaks.train_rows:,} train rows of "
            f"{side.record.run_id}, and no {leaks.ngram} consecutive words of one."
        )
        return
    with card("In the train rows", note=f"{len(leaks.findings):,} of {leaks.eval_rows:,} prompts", key="leaks"):
        words = leak_words(leaks, side.record.run_id)
        if leaks.exact:
            st.warning(words, icon=":material/warning:")
        else:
            st.caption(words)
        with st.expander("Rows", key="leak-rows"):
            asked = {p.id: p for p in side.predictions}
            for leak in leaks.findings[:SHOWN]:
                _show_leak(leak, _text(asked.get(leak.row_id), leak.prompt_field))
            if len(leaks.findings) > SHOWN:
                st.caption(f"And {len(leaks.findings) - SHOWN:,} more, in leaks.json of the evaluation's folder.")


def leak_words(leaks: Leaks, run_id: str) -> str:
    """The findings, and what they mean for the scores."""
    overlap = (
        f"{leaks.overlap:,} of {plural(leaks.eval_rows, 'prompt')} have {leaks.ngram} or more consecutive words that "
        f"are also in a train row of {run_id}. Prompts from one template do, and so do copied ones. Read some."
    )
    if not leaks.exact:
        return overlap
    exact = (
        f"{run_id} was trained on {leaks.exact:,} of these {leaks.eval_rows:,} prompts. "
        "Scores on them measure memory, not reasoning."
    )
    return f"{exact} {overlap}" if leaks.overlap else exact


def _text(asked: Prediction | None, field: str) -> str:
    """The prompt, or the message before it, that the leak is in."""
    if asked is None:
        return ""
    messages = conversation_of(asked.conversation).messages
    return next((text for name, text in asked_texts(asked.prompt, messages) if name == field), "")


def _show_leak(leak: Leak, prompt: str) -> None:
    kind = "the same prompt" if leak.kind == "exact" else f"{leak.words} consecutive words, in the {leak.field}"
    where = f"Row {leak.row_id[:12]} · {kind} · {plural(leak.train_rows, 'train row')}"
    start, end = leak.prompt_start, leak.prompt_end
    blocks.stretch(prompt[max(0, start - 60) : start], prompt[start:end], prompt[end : end + 60], where)
    if st.button("Show the trace", key=f"leak-{leak.row_id[:16]}-{leak.trace[:8]}"):
        go("traces", trace=leak.trace)
