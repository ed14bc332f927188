"""The answer of a column, while it is written and after, and what to do with it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.component.element import element
from app.playground.earlier import continue_from
from app.playground.editing import edit_from, edit_through, show_editor
from app.playground.form_keys import REFERENCE, column_key
from app.state import get_pipeline
from app.ui.boundary import escape_markdown, show_error
from app.ui.navigation import go
from app.ui.reading.reader import show_reading
from app.ui.reading.values import reading_of
from app.ui.visitors import act_button
from app.ui.words import short_hash
from tunixrt_core.errors import TunixRTError
from tunixrt_core.evaluation.questions.question import Answered, QuestionState
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


def show_column(number: int, state: QuestionState, replaced: Callable[[str], None]) -> None:
    """The answer, or what it waits for. `replaced` gets the id of the question that takes the place of this one."""
    if state.status is RunStatus.FAILED:
        st.error(escape_markdown(f"The question was not answered: {state.message}"), icon=":material/error:")
        return
    answered = next(iter(state.answers), None)
    if answered is None:
        st.caption(waiting_words(state))
        if not state.over:
            # the browser reads the text itself from the start, so that the first token waits for no update of the page
            url = f"/api/playground/{state.id}/text?target={state.question.targets[0]}"
            element("stream", key=column_key("text", number), url=url, on_done_change=lambda: None)
        return
    _show_answer(number, state, answered)
    if state.over and (new := show_editor(number, state)):
        replaced(new)


def waiting_words(state: QuestionState) -> str:
    """The reason that there is no answer (yet)."""
    if state.over:
        return "Stopped before the answer was complete." if state.status is RunStatus.STOPPED else "No answer."
    if state.status is RunStatus.QUEUED:
        return "Waiting for its turn on the device"
    return f"{_PHASES[state.phase]} …" if state.phase else "Waiting for the device"


def cost_words(answered: Answered) -> str:
    """`38 prompt tokens · 52 tokens · 0.41 s`, with notes on compiling and the limit."""
    parts = [f"{answered.prompt_tokens:,} prompt tokens"] if answered.prompt_tokens else []
    parts += [f"{answered.tokens:,} tokens", f"{answered.seconds:.2f} s"]
    parts += ["compiling included"] if answered.compiled else []
    parts += ["cut at the limit"] if answered.hit_limit else []
    return " · ".join(parts)


def _show_answer(number: int, state: QuestionState, answered: Answered) -> None:
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
    show_reading(
        said,
        f"Answer of {answered.model}",
        key=column_key("answer", number),
        step_button="Edit from here" if state.over else None,
        on_step=lambda: edit_from(number, answered),
    )
    begun = f"begun with {len(state.question.begun):,} characters · " if state.question.begun else ""
    st.caption(escape_markdown(f"{answered.model} · {begun}{cost_words(answered)}"))
    if state.over:
        with st.container(horizontal=True, key=column_key("actions", number), gap="small"):
            _keep(number, state, answered, reference)
            _continue(number, state, answered)
            st.button(
                "Edit",
                key=column_key("edit", number),
                help="Edit the steps, and let the model continue from there.",
                on_click=edit_through,
                args=(number, answered, len(answered.steps)),
            )


def _continue(number: int, state: QuestionState, answered: Answered) -> None:
    """Button that makes the answer an earlier turn of the next question."""
    question = state.question
    said = (answered.answer or answered.output, "\n".join(answered.steps) if answered.answer else "")
    st.button(
        "Continue",
        key=column_key("continue", number),
        help="Ask the next question behind this answer.",
        on_click=continue_from,
        args=(question.prompt, question.conversation, *said),
    )


def _keep(number: int, state: QuestionState, answered: Answered, reference: str | None) -> None:
    """Button that keeps the answer as a trace; afterwards a link to the trace."""
    kept: dict[str, str] = st.session_state.setdefault("play-kept", {})
    if trace_id := kept.get(state.id):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Kept as trace {short_hash(trace_id)}", width="content")
            if st.button(
                "See the trace", icon=":material/account_tree:", key=column_key("see", number), type="tertiary"
            ):
                go("traces", trace=trace_id)
        return
    with st.popover("Keep as trace", icon=":material/bookmark_add:", key=column_key("keep", number)):
        st.caption("Stored with the source “playground” and this model’s name, for the next dataset.")
        final = None
        if answered.answer is None:
            final = st.text_input("Final answer", key=f"keep-final-{state.id}", placeholder="None found")
        # a new question has fields of its own
        right = st.text_input(
            "Reference answer", value=reference or "", key=f"keep-reference-{state.id}", placeholder="Not known"
        )
        if act_button("Keep trace", type="primary", key=column_key("keep-trace", number)):
            try:
                kept[state.id], _ = get_pipeline().playground.keep(
                    state.id,
                    answered.target,
                    final_answer=(final or "").strip() or None,
                    reference_answer=right.strip() or None,
                )
            except TunixRTError as error:
                show_error(error)
            else:
                st.rerun()
