"""Form fields whose default is the value in the session.

Streamlit tells the browser once of a value that the script has set. A browser that draws the field a second time, as a
busy one does, falls back to the field's default, and sends that as if it had been typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st


def number_field(label: str, low: float, high: float | None = None, *, key: str, **options: Any) -> Any:
    """A number of the type of `low`; None if the user has cleared it."""
    held = st.session_state.get(key, low)
    value = None if held is None else type(low)(max(held, low) if high is None else min(max(held, low), high))
    return st.number_input(label, low, high, value, key=key, **options)


def choice_field(label: str, options: Sequence[str], *, key: str, **more: Any) -> Any:
    """One of the options, in a select box."""
    held = st.session_state.get(key)
    return st.selectbox(label, options, options.index(held) if held in options else 0, key=key, **more)


def segments_field(label: str, options: Sequence[str], *, key: str, **more: Any) -> Any:
    """One of a few options, side by side."""
    held = st.session_state.get(key)
    return st.segmented_control(label, options, default=held if held in options else None, key=key, **more)


def text_field(label: str, *, key: str, **options: Any) -> Any:
    return st.text_input(label, str(st.session_state.get(key) or ""), key=key, **options)


def toggle_field(label: str, *, key: str, **options: Any) -> Any:
    return st.toggle(label, bool(st.session_state.get(key)), key=key, **options)
