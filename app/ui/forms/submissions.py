"""Request id of one click on a start button."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.state import get_pipeline

FORM = "form"  # in the address and in the session
_FORM_ID = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Press:
    """The next start of what a form asks for. `number` counts those before it, `last` is the request id of the last.

    A second click on the same button carries the same number, so it finds what the first one started. The button that
    is drawn after a start has the next number, so that the same can be started again on purpose.
    """

    id: str
    number: int = 0
    last: str | None = None

    def key(self, name: str) -> str:
        """The key of the button: another one after each start, so that an old click cannot press the new button."""
        return f"{name}-{self.number}" if self.number else name


def next_press(kind: str, asked: Any) -> Press:
    """The press that would start `asked` from this form. Other values in the form make another press."""
    words = json.dumps([kind, asked], sort_keys=True, default=str)
    stem = f"{form_id()}.{hashlib.sha256(words.encode()).hexdigest()[:16]}"
    used, number = get_pipeline().requests.used, 0
    while used(f"{stem}.{number}"):
        number += 1
    return Press(f"{stem}.{number}", number, f"{stem}.{number - 1}" if number else None)


def form_id() -> str:
    """Which form this is: the one in the address, or else the one of this session."""
    return form_in_address() or str(st.session_state.setdefault(f"{FORM}-id", new_form()))


def new_form() -> str:
    """A name that no form has."""
    return secrets.token_hex(4)


def form_in_address() -> str | None:
    """The form that the address names."""
    shown = st.query_params.get(FORM, "")
    return shown if _FORM_ID.fullmatch(shown) else None


def keep_form(**others: str) -> None:
    """Name the form in the address, so that a page that is loaded again in the middle of a start knows of that start.

    `others` are written with it where the address lacks them: each change of the address is a step of the history.
    """
    wanted = {**others, FORM: form_id()}
    if missing := {name: value for name, value in wanted.items() if name not in st.query_params}:
        st.query_params.update(missing)
