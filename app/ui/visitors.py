"""Sidebar block: who is signed in, as what, and the way out."""

from __future__ import annotations

import streamlit as st

from app.ui.boundary import escape_markdown
from app.visitor import ANYBODY, SERVER, visitor


def show_visitor() -> None:
    """Of users with a token of their own; a server that is used with its own token has no accounts to show."""
    known = visitor()
    if known is None or known.name in (ANYBODY, SERVER):
        return
    with st.container(key="visitor", horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.markdown(f":small[{escape_markdown(known.name)}]", width="content")
        if not known.writes:
            st.badge("Read only", color="orange", help="What changes something is refused.")
        st.html('<a href="/logout" target="_self" style="color: inherit">Sign out</a>', width="content")
