"""Turns before the prompt of a question: shown, added and removed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from msgspec.structs import replace

from app.playground.form_keys import PROMPT, ROLE, TALK, TURN
from app.ui.reading.reader import show_reading
from app.ui.reading.values import reading_of
from app.ui.words import plural
from tunixrt_core.traces.conversation import NO_CONVERSATION, Conversation, Message, Role

_ROLES: Sequence[Role] = ("user", "assistant", "system")
_WORDS = {"user": "User", "assistant": "Model", "system": "System"}


def talk_now() -> Conversation:
    """The conversation that the next question is asked in."""
    found: Conversation = st.session_state.get(TALK, NO_CONVERSATION)
    return found


def earlier_turns() -> Conversation:
    """The turns before the prompt, with the fields that add one; the conversation of the question."""
    talk = talk_now()
    if talk != NO_CONVERSATION:
        show_reading(reading_of(talk=talk), "Earlier turns", key="play-earlier-turns")
        with st.container(horizontal=True, key="play-turns"):
            if talk.messages:
                st.button("Remove the last turn", key="play-turn-remove", on_click=_remove, type="tertiary")
            st.button("Clear the conversation", key="play-turns-clear", on_click=_clear, type="tertiary")
    label = f"Earlier turns · {plural(len(talk.messages), 'turn')}" if talk.messages else "Earlier turns"
    with st.expander(label, key="play-earlier"):
        st.pills("Role", _ROLES, default="user", format_func=_WORDS.__getitem__, key=ROLE)
        st.text_area("Turn", key=TURN, height=80, placeholder="What was said before the prompt.")
        st.button("Add turn", key="play-turn-add", on_click=_add)
    return talk


def continue_from(prompt: str, talk: Conversation, answer: str, reasoning: str) -> None:
    """Make a question and its answer earlier turns of the next question."""
    said = (*talk.messages, Message("user", prompt), *talk.turns, Message("assistant", answer, reasoning))
    st.session_state[TALK] = replace(talk, messages=said, turns=())
    st.session_state[PROMPT] = ""


def _add() -> None:
    text: str = st.session_state.get(TURN, "")
    role: Role = st.session_state.get(ROLE) or "user"
    if text.strip():
        talk = talk_now()
        st.session_state[TALK] = replace(talk, messages=(*talk.messages, Message(role, text)))
        st.session_state[TURN] = ""


def _remove() -> None:
    talk = talk_now()
    st.session_state[TALK] = replace(talk, messages=talk.messages[:-1])


def _clear() -> None:
    st.session_state[TALK] = NO_CONVERSATION
