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
class Submission:
    """The next start of a form's request. `number` counts earlier starts, `last` is the request id of the latest.

    A second click on the same button has the same number, so it finds the job of the first click. The button
    drawn after a start has the next number, so that the same request can be started again on purpose.
    """

    id: str
    number: int = 0
    last: str | None = None

    def key(self, name: str) -> str:
        """The key of the button, new after each start, so that an old click does not trigger the new button."""
        return f"{name}-{self.number}" if self.number else name


def next_submission(kind: str, asked: Any) -> Submission:
    """The submission that would start `asked` from this form. Other form values give another submission."""
    words = json.dumps([kind, asked], sort_keys=True, default=str)
    stem = f"{form_id()}.{hashlib.sha256(words.encode()).hexdigest()[:16]}"
    used, number = get_pipeline().requests.used, 0
    while used(f"{stem}.{number}"):
        number += 1
    return Submission(f"{stem}.{number}", number, f"{stem}.{number - 1}" if number else None)


def form_id() -> str:
    """Id of this form: that in the address, or else that of this session."""
    return form_in_address() or str(st.session_state.setdefault(f"{FORM}-id", new_form()))


def new_form() -> str:
    """An unused form id."""
    return secrets.token_hex(4)


def form_in_address() -> str | None:
    """The form id in the address."""
    shown = st.query_params.get(FORM, "")
    return shown if _FORM_ID.fullmatch(shown) else None


def keep_form(**others: str) -> None:
    """Write the form id to the address, so that a page reloaded during a start finds that start.

    `others` are written with it if missing in the address: each change of the address is a step of the history.
    """
    wanted = {**others, FORM: form_id()}
    if missing := {name: value for name, value in wanted.items() if name not in st.query_params}:
        st.query_params.update(missing)
