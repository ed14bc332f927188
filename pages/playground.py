"""Playground: one prompt to several models side by side."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from app.playground.answers import show_column
from app.playground.columns import (
    Column,
    column_fields,
    columns_now,
    ids_in_address,
    keep_ids,
    keep_models,
    offer_column,
)
from app.playground.form import Asking, prefill, prompt_fields
from app.state import get_pipeline
from app.ui.boundary import error_boundary, escape_markdown, show_error
from app.ui.components import card, empty_state, header
from app.ui.navigation import go
from app.ui.reading.reader import show_reading
from app.ui.reading.values import reading_of
from app.ui.visitors import act_button
from app.ui.words import plural
from tunixrt_core.errors import Conflict, NotFound, TunixRTError
from tunixrt_core.evaluation.questions.question import QuestionState
from tunixrt_core.runs.record import Run, RunStatus

TICK = 0.5  # seconds between updates of a running question
BUSY_TICK = 3  # seconds between updates while another job holds the accelerator
WHAT = "The playground sends one prompt to up to three models and shows their answers side by side, step by step."


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
    with header("Playground", "One prompt, several models side by side"):
        if rt.playground.loaded and act_button(
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


def asked_before(ids: list[str]) -> list[QuestionState | None]:
    """The questions of the address, one per column; None for a column that was not asked."""
    found: list[QuestionState | None] = []
    for question_id in ids:
        try:
            found.append(rt.playground.get(question_id) if question_id else None)
        except NotFound:
            st.caption("The questions of this address are no longer kept. Ask again.")
            return [None] * len(ids)
    return found


def show_ask(asking: Asking, columns: list[Column]) -> None:
    """The button, and the reason if it is disabled. Updates while another job holds the accelerator."""
    with error_boundary():
        busy = rt.playground.busy()
        who = "the model" if len(columns) == 1 else f"{plural(len(columns), 'model')}"
        if act_button(
            f"Ask {who}", type="primary", icon=":material/send:", key="ask", disabled=bool(busy), help=busy or None
        ):
            ask(asking, columns)
        if busy:
            st.caption(escape_markdown(busy))
        elif "play-busy" in st.session_state:
            del st.session_state["play-busy"]
            st.rerun()


def ask(asking: Asking, columns: list[Column]) -> None:
    """Queue one question per column, in the order of the page."""
    if not asking.prompt.strip():
        st.error("The prompt is empty. Enter a question.", icon=":material/error:")
        return
    try:
        keep_ids([rt.playground.ask(question).id for question in [asking.of(column) for column in columns]])
    except TunixRTError as error:
        show_error(error)
    else:
        st.rerun()


def show_stop(states: list[QuestionState]) -> None:
    if act_button("Stop", icon=":material/stop_circle:", key="stop-question"):
        for state in states:
            with suppress(Conflict):  # it ended meanwhile
                rt.playground.stop(state.id)
        st.rerun()


def show_result(place: int, numbers: list[int], question_id: str) -> None:
    """The answer of one column. While it is written, this updates by itself; when it is over, the page reruns."""

    def replaced(new: str) -> None:
        ids = ids_in_address(numbers)
        keep_ids([*ids[:place], new, *ids[place + 1 :]])
        st.rerun()

    with error_boundary():
        state = rt.playground.get(question_id)
        if state.over and question_id in going:
            st.rerun()
        show_column(numbers[place], state, replaced)


def show_asked(asking: Asking, states: list[QuestionState | None]) -> None:
    """What was asked, where the fields say something else by now."""
    asked = next((state.question for state in states if state is not None), None)
    if asked is not None and (asked.prompt, asked.conversation) != (asking.prompt, asking.conversation):
        with card("Asked", key="play-asked"):
            said = reading_of(prompt=asked.prompt, talk=asked.conversation)
            show_reading(said, "Question", key="play-asked-text")


def show_all() -> None:
    prefill()
    numbers = columns_now(askable)
    asking = prompt_fields()
    buttons = st.container(horizontal=True, vertical_alignment="center", key="play-buttons")
    earlier = st.container()
    states = asked_before(ids_in_address(numbers))
    going.update(state.id for state in states if state is not None and not state.over)
    columns = []
    with st.grid(len(numbers), min_column_width=300):
        for place, (number, state) in enumerate(zip(numbers, states, strict=True)):
            with st.container(border=True, height="stretch", key=f"play-column-{number}"):
                columns.append(column_fields(number, askable))
                if state is not None:
                    every = TICK if state.id in going else None
                    st.fragment(show_result, run_every=every)(place, numbers, state.id)
    keep_models(columns)
    with buttons:
        if going:
            show_stop([state for state in states if state is not None and not state.over])
        else:
            if busy := rt.playground.busy():
                st.session_state["play-busy"] = True
            with st.container(width="content"):
                st.fragment(show_ask, run_every=BUSY_TICK if busy else None)(asking, columns)
            offer_column(numbers)
    with earlier:
        show_asked(asking, states)


rt = get_pipeline()
all_runs = list(rt.runs.page(limit=200).items)
askable = [run for run in all_runs if can_be_asked(run)]
going: set[str] = set()  # questions that are not over
show_head()
if askable:
    try:
        show_all()
    except TunixRTError as error:
        show_error(error)
else:
    show_nothing(all_runs)
