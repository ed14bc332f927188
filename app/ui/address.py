"""Choices kept in the address by value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def kept_in_address(
    name: str, options: Sequence[T], default: T, *, key: str, then: Callable[[], object] | None = None
) -> Callable[[], None]:
    """Set the widget `key` from `?name=`; returns the callback that writes the choice. The default is left out.

    (`bind=` writes the words of an option instead: a link to "gsm8k (7,473)" would fail after the next import.)
    """
    wanted = st.query_params.get(name)
    st.session_state[key] = next((one for one in options if str(one) == wanted), default)

    def write() -> None:
        chosen = st.session_state[key]
        if chosen is None or chosen == default:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = str(chosen)
        if then:
            then()

    return write
