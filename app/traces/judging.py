"""Scores, tags and a note for the open trace, also by keyboard."""

from __future__ import annotations

import getpass

import streamlit as st

from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.store.query import StoredTrace
from tunixrt_core.traces.scores import GivenScore

SCORE = "quality"
# label, value, key on the keyboard, icon
GRADES = (("Good", 1.0, "G", "thumb_up"), ("Unsure", 0.5, "U", "help"), ("Bad", 0.0, "B", "thumb_down"))


def show_judging(rt: Pipeline, stored: StoredTrace) -> None:
    """Scores, tags and the note, each saved as soon as it is entered."""
    _show_grades(rt, stored)
    _show_tags(rt, stored)
    _show_note(rt, stored)


def _show_grades(rt: Pipeline, stored: StoredTrace) -> None:
    steps = len(stored.trace.steps)
    targets = [None, *range(steps)]
    key = f"target-{stored.id[:12]}"
    at = st.session_state.setdefault(key, 0) % len(targets)
    with st.container(horizontal=True, vertical_alignment="center", key="grade-target", gap="xsmall"):
        if st.button("", icon=":material/arrow_upward:", key="target-up", shortcut="P", help="Previous step"):
            _aim(key, (at - 1) % len(targets))
        if st.button("", icon=":material/arrow_downward:", key="target-down", shortcut="N", help="Next step"):
            _aim(key, (at + 1) % len(targets))
        st.markdown(f"**{_target_words(targets[at])}**", width="content")
        mine = _mine(stored, targets[at])
        if mine:
            st.badge(f"You gave {mine.value:g}", color="blue")
    with st.container(horizontal=True, vertical_alignment="center", key="grades", gap="xsmall"):
        for label, value, shortcut, icon in GRADES:
            if st.button(label, icon=f":material/{icon}:", key=f"grade-{label.lower()}", shortcut=shortcut):
                _grade(rt, stored, targets[at], value)
                _aim(key, (at + 1) % len(targets))
        if mine and st.button("Remove score", key="ungrade", type="tertiary"):
            rt.traces.unscore(stored.id, SCORE, kind="human", scorer=_me(), step=targets[at])
            st.rerun()


def _aim(key: str, at: int) -> None:
    st.session_state[key] = at
    st.rerun()


def _grade(rt: Pipeline, stored: StoredTrace, step: int | None, value: float) -> None:
    score = GivenScore(name=SCORE, value=value, step=step, scorer=_me(), version="", kind="human")
    rt.traces.score(stored.id, [score])


def _mine(stored: StoredTrace, step: int | None) -> GivenScore | None:
    given = (one.given for one in stored.scores)
    return next(
        (g for g in given if (g.kind, g.name, g.scorer, g.step) == ("human", SCORE, _me(), step)),
        None,
    )


def _me() -> str:
    """The name of the scorer. The dashboard has no accounts: it is the user who started the server."""
    return getpass.getuser()


def _target_words(step: int | None) -> str:
    return "Whole trace" if step is None else f"Step {step + 1}"


def _show_tags(rt: Pipeline, stored: StoredTrace) -> None:
    key = f"tags-{stored.id[:12]}"

    def write() -> None:
        wanted = set(st.session_state[key])
        rt.traces.tag(stored.id, wanted - set(stored.tags))
        rt.traces.untag(stored.id, set(stored.tags) - wanted)

    options = sorted({tag for tag, _ in rt.traces.tags()} | set(stored.tags))
    st.multiselect(
        "Tags",
        options,
        default=list(stored.tags),
        accept_new_options=True,
        placeholder="Add a tag",
        key=key,
        on_change=write,
    )


def _show_note(rt: Pipeline, stored: StoredTrace) -> None:
    key = f"note-{stored.id[:12]}"

    def write() -> None:
        rt.traces.note(stored.id, st.session_state[key])

    st.text_area(
        "Note",
        value=stored.note.text if stored.note else "",
        placeholder="Your observations",
        height=80,
        max_chars=20_000,
        key=key,
        on_change=write,
    )
