"""Answers to one question side by side, and the button that keeps one."""

from __future__ import annotations

import streamlit as st

from app.component.element import element
from app.playground.earlier import continue_from
from app.playground.form import MODEL_WORDS
from app.playground.form_keys import REFERENCE
from app.state import get_pipeline
from app.ui.boundary import escape_markdown, show_error
from app.ui.components import card, halves
from app.ui.navigation import go
from app.ui.reader import show_reading
from app.ui.reading import reading_of
from app.ui.words import short_hash
from tunixrt_core.errors import TunixRTError
from tunixrt_core.evaluation.questions import Answered, QuestionState
from tunixrt_core.runs.evaluation_record import Target
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.traces.answers.comparison import compare
from tunixrt_core.traces.answers.reading.readings import Verdict
from tunixrt_core.traces.trace import Step

_MATCHES = {Verdict.SAME: True, Verdict.DIFFERENT: False, Verdict.UNKNOWN: None}
_PHASES = {
    "loading": "Loading the model",
    "compiling": "Compiling: the device waits, this can take a minute",
    "generating": "Writing",
}


def show_question(state: QuestionState) -> None:
    """One card per model; a missing answer says what it is waiting for."""
    if state.status is RunStatus.FAILED:
        st.error(escape_markdown(f"The question was not answered: {state.message}"), icon=":material/error:")
    with halves():
        for target in state.question.targets:
            answered = state.answer_of(target)
            with card(MODEL_WORDS[target], note=answered.model if answered else "", key=f"play-{target}"):
                if answered is None:
                    st.caption(waiting_words(state, target))
                    if state.target == target and state.phase in ("compiling", "generating"):
                        # the browser reads the text itself, so it flows between the updates of the page
                        url = f"/api/playground/{state.id}/text?target={target}"
                        element("stream", key=f"play-text-{target}", url=url)
                else:
                    _show_answer(state, answered)


def waiting_words(state: QuestionState, target: Target) -> str:
    """The reason that this model has no answer (yet)."""
    if state.status.over:
        return "Stopped before an answer was complete." if state.status is RunStatus.STOPPED else "No answer."
    if state.status is RunStatus.QUEUED:
        return "Waiting for the device"
    return f"{_PHASES[state.phase]} …" if state.target == target and state.phase else "Waiting for its turn"


def cost_words(answered: Answered) -> str:
    """`38 prompt tokens · 52 tokens · 0.41 s`, with notes on compiling and the limit."""
    parts = [f"{answered.prompt_tokens:,} prompt tokens"] if answered.prompt_tokens else []
    parts += [f"{answered.tokens:,} tokens", f"{answered.seconds:.2f} s"]
    parts += ["compiling included"] if answered.compiled else []
    parts += ["cut at the limit"] if answered.hit_limit else []
    return " · ".join(parts)


def _show_answer(state: QuestionState, answered: Answered) -> None:
    reference = st.session_state.get(REFERENCE, "").strip() or None
    known = reference is not None and answered.answer is not None
    said = reading_of(
        steps=[Step(i, content) for i, content in enumerate(answered.steps)],
        answer=answered.answer,
        reference=reference,
        matches=_MATCHES[compare(reference or "", answered.answer or "")] if known else None,
        output=answered.output,
    )
    if answered.answer is None:
        said["doubts"] = ["No final answer can be read from the output."]
    show_reading(said, f"Answer of the {answered.target} model", key=f"play-answer-{answered.target}")
    st.caption(cost_words(answered))
    if state.status.over:
        with st.container(horizontal=True):
            _keep(state, answered, reference)
            _continue(state, answered)


def _continue(state: QuestionState, answered: Answered) -> None:
    """Button that makes the answer an earlier turn of the next question."""
    question = state.question
    said = (answered.answer or answered.output, "\n".join(answered.steps) if answered.answer else "")
    st.button(
        "Continue",
        icon=":material/forum:",
        key=f"continue-{answered.target}",
        help="Ask the next question behind this answer.",
        on_click=continue_from,
        args=(question.prompt, question.conversation, *said),
    )


def _keep(state: QuestionState, answered: Answered, reference: str | None) -> None:
    """Button that keeps the answer as a trace; afterwards a link to the trace."""
    target = answered.target
    kept: dict[tuple[str, str], str] = st.session_state.setdefault("play-kept", {})
    if trace_id := kept.get((state.id, target)):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Kept as trace {short_hash(trace_id)}", width="content")
            if st.button("See the trace", icon=":material/account_tree:", key=f"see-{target}", type="tertiary"):
                go("traces", trace=trace_id)
        return
    with st.popover("Keep as trace", icon=":material/bookmark_add:", key=f"keep-{target}"):
        st.caption("Stored with the source “playground” and this model’s name, for the next dataset.")
        final = None
        if answered.answer is None:
            final = st.text_input("Final answer", key=f"keep-final-{state.id}-{target}", placeholder="None found")
        # a new question has fields of its own
        key = f"keep-reference-{state.id}-{target}"
        right = st.text_input("Reference answer", value=reference or "", key=key, placeholder="Not known")
        if st.button("Keep trace", type="primary", key=f"keep-trace-{target}"):
            try:
                kept[state.id, target], _ = get_pipeline().playground.keep(
                    state.id, target, final_answer=(final or "").strip() or None, reference_answer=right.strip() or None
                )
            except TunixRTError as error:
                show_error(error)
            else:
                st.rerun()
