"""Judging the open trace: who scores, tags, and a note."""

from __future__ import annotations

import getpass

import streamlit as st

from app.ui.visitors import may_write
from app.visitor import ANYBODY, SERVER, visitor
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.store.query import StoredTrace

SCORE = "quality"


def judge_of(trace_id: str) -> dict[str, str] | None:
    """What the judging bar of the reader needs: the address of a trace's scores, the score's name and the scorer.

    The scorer is who is signed in; without accounts, the user who started the server. None for who may only read.
    """
    if not may_write():
        return None
    known = visitor()
    scorer = getpass.getuser() if known is None or known.name in (ANYBODY, SERVER) else known.name
    return {"url": f"/api/traces/{trace_id}/scores", "name": SCORE, "scorer": scorer}


def show_said(rt: Pipeline, stored: StoredTrace) -> None:
    """Tags and the note, each saved as soon as it is entered."""
    _show_tags(rt, stored)
    _show_note(rt, stored)


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
        disabled=not may_write(),
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
        disabled=not may_write(),
        key=key,
        on_change=write,
    )
