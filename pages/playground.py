"""Playground: one prompt to a run's base and tuned model."""

from __future__ import annotations

import streamlit as st

from app.playground.answers import show_question
from app.playground.form import prefill, question_form
from app.state import get_pipeline
from app.ui.boundary import error_boundary, escape_markdown, show_error
from app.ui.components import card, empty_state, header
from app.ui.navigation import go
from app.ui.reader import show_reading
from app.ui.reading import reading_of
from tunixrt_core.errors import NotFound, TunixRTError
from tunixrt_core.evaluation.questions import Question, QuestionState
from tunixrt_core.runs.evaluation_record import TARGETS
from tunixrt_core.runs.record import Run, RunStatus

TICK = 0.5  # seconds between updates of a running question
BUSY_TICK = 3  # seconds between updates while another job holds the accelerator
WHAT = "The playground sends one prompt to a run's base and tuned model and shows both answers, step by step."


def can_be_asked(run: Run) -> bool:
    """Whether the run is over and has weights."""
    if run.status is RunStatus.BROKEN:
        return False
    return run.status.over and (run.status is not RunStatus.FAILED or bool(rt.runs.folder(run.id).checkpoint_steps()))


def show_nothing(runs: list[Run]) -> None:
    going = next((run for run in runs if not run.status.over), None)
    title = "No finished run yet" if runs else "No runs yet"
    with empty_state(title, WHAT, key="no-playground"):
        if going is not None:
            if st.button(f"Watch {going.id}", key="go-run"):
                go("run", run=going.id)
        elif st.button("Set up a run", key="go-new-run"):
            go("new-run")


def show_head() -> None:
    with header("Playground", "One prompt, base and tuned model side by side"):
        if rt.playground.loaded and st.button(
            "Free memory",
            icon=":material/memory:",
            key="release-playground",
            help="The models stay in memory for the next question, until a run starts or 10 minutes have passed.",
        ):
            try:
                rt.playground.release()
            except TunixRTError as error:
                show_error(error)
            else:
                st.rerun()


def asked_before() -> QuestionState | None:
    """The question in the address; None if it is no longer kept."""
    question_id = st.query_params.get("question")
    if question_id is None:
        return None
    try:
        return rt.playground.get(question_id)
    except NotFound:
        st.caption("The question of this address is no longer kept. Ask again.")
        return None


def show_ask(question: Question | None) -> None:
    """The button, and the reason if it is disabled. Updates while another job holds the accelerator."""
    with error_boundary():
        busy = rt.playground.busy()
        targets = question.targets if question else TARGETS
        who = f"the {targets[0]} model" if len(targets) == 1 else "both models"
        if st.button(
            f"Ask {who}", type="primary", icon=":material/send:", key="ask", disabled=bool(busy), help=busy or None
        ):
            if question is None:
                st.error("The prompt is empty. Enter a question.", icon=":material/error:")
                return
            try:
                st.query_params["question"] = rt.playground.ask(question).id
            except TunixRTError as error:
                show_error(error)
            else:
                st.rerun()
        if busy:
            st.caption(escape_markdown(busy))
        elif "play-busy" in st.session_state:
            del st.session_state["play-busy"]
            st.rerun()


def show_progress(question_id: str) -> None:
    """Progress of a question. When it is over, the page reruns."""
    with error_boundary():
        state = rt.playground.get(question_id)
        if state.status.over:
            st.rerun()
        if st.button("Stop", icon=":material/stop_circle:", key="stop-question"):
            rt.playground.stop(question_id)
        show_question(state)


def show_all(runs: list[Run]) -> None:
    prefill()
    try:
        question = question_form(runs)
    except TunixRTError as error:
        show_error(error)
        return
    state = asked_before()
    if state is not None and not state.status.over:
        st.fragment(show_progress, run_every=TICK)(state.id)
        return
    if busy := rt.playground.busy():
        st.session_state["play-busy"] = True
    st.fragment(show_ask, run_every=BUSY_TICK if busy else None)(question)
    if state is not None:
        asked = state.question
        if question is None or (asked.prompt, asked.conversation) != (question.prompt, question.conversation):
            with card("Asked", key="play-asked"):
                said = reading_of(prompt=asked.prompt, talk=asked.conversation)
                show_reading(said, "Question", key="play-asked-text")
        show_question(state)


rt = get_pipeline()
all_runs = list(rt.runs.page(limit=200).items)
askable = [run for run in all_runs if can_be_asked(run)]
show_head()
if askable:
    show_all(askable)
else:
    show_nothing(all_runs)
