"""Continuing from a step of an answer that a person edits."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app.playground.form_keys import EDITED, column_key
from app.state import get_pipeline
from app.ui.boundary import show_error
from tunixrt_core.errors import TunixRTError
from tunixrt_core.evaluation.questions.question import Answered, QuestionState
from tunixrt_core.traces.rendering.parse import up_to_step


def edit_from(number: int, answered: Answered) -> None:
    """Callback of the reader: open the editor with the answer up to the step that was chosen."""
    step = st.session_state[column_key("answer", number)].step
    edit_through(number, answered, int(step) + 1)


def edit_through(number: int, answered: Answered, steps: int) -> None:
    """Open the editor with the answer through a number of steps; without any, with all of it."""
    begun = up_to_step(answered.output, answered.steps, steps) if answered.steps else answered.output
    st.session_state[EDITED] = number
    st.session_state[column_key("begun", number)] = begun


def show_editor(number: int, state: QuestionState) -> str | None:
    """The beginning of the answer in a field. Returns the new question, once the model is to continue from it."""
    if st.session_state.get(EDITED) != number:
        return None
    begun = st.text_area(
        "Beginning of the answer",
        key=column_key("begun", number),
        height=160,
        help="The model goes on behind the last character, as if it had written this. A line end begins the next step.",
    )
    with st.container(horizontal=True, key=column_key("editor", number)):
        continues = st.button(
            "Continue from here", type="primary", icon=":material/play_arrow:", key=column_key("on", number)
        )
        st.button("Cancel", key=column_key("cancel", number), on_click=_close)
    if not continues:
        return None
    try:
        asked = get_pipeline().playground.ask(replace(state.question, begun=begun))
    except TunixRTError as error:
        show_error(error)
        return None
    _close()
    return asked.id


def _close() -> None:
    st.session_state.pop(EDITED, None)
