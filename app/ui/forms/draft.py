"""Form drafts kept in the home under a name in the address."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.state import get_pipeline
from app.ui.boundary import show_error
from app.ui.forms.source import CLONE, LOADED, is_field, send_again
from app.ui.forms.submissions import form_id, form_in_address
from tunixrt_core.errors import TunixRTError


def restore_fields(prefix: str) -> None:
    """Before the form is drawn: restore the draft in the address, if this session has no fields yet."""
    name = form_in_address()
    if name is None or f"{prefix}-learning_rate" in st.session_state:
        return
    draft = _kept(name).get(prefix)
    if not draft:
        return
    for field, value in draft["fields"].items():
        # JSON has lists only; the form compares tuples
        st.session_state[f"{prefix}-{field}"] = tuple(value) if isinstance(value, list) else value
    st.session_state[f"filled {prefix}"] = draft["filled"]
    send_again(prefix)


def keep_fields(prefix: str) -> None:
    """After the form was drawn: save its fields if they changed."""
    start = f"{prefix}-"
    held = {str(key): value for key, value in st.session_state.items() if str(key).startswith(start)}
    fields = {key.removeprefix(start): value for key, value in held.items() if _can_be_kept(value)}
    fields.pop("dataset", None)  # always in the address
    draft = {"fields": fields, "filled": st.session_state.get(f"filled {prefix}"), "source": _source()}
    if st.session_state.get(f"draft {prefix}") == draft:
        return
    try:
        get_pipeline().drafts.keep(form_id(), {**_kept(form_id()), prefix: draft})
    except TunixRTError as error:
        show_error(error)
    st.session_state[f"draft {prefix}"] = draft


def source_of_form(prefix: str) -> dict[str, str] | None:
    """The source of the form in the address, as named by its page; None if it is not kept."""
    name = form_in_address()
    draft = _kept(name).get(prefix) if name else None
    return dict(draft["source"]) if draft else None


def _kept(name: str) -> dict[str, dict[str, Any]]:
    """One file per prefix: "New run" and "Export and manifest" may share a form name."""
    return get_pipeline().drafts.find(name) or {}


def _can_be_kept(value: Any) -> bool:
    return value is None or is_field(value) or isinstance(value, tuple)


def _source() -> dict[str, str]:
    return {name: st.query_params[name] for name in (CLONE, LOADED) if name in st.query_params}
