"""Who looks at a page: shown in the sidebar, and what they may change."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.ui.boundary import escape_markdown
from app.visitor import ANYBODY, SERVER, visitor
from tunixrt_core.util.actors import current_actor

READ_ONLY = "You may only read here. Ask for the role “write”."


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


def may_write() -> bool:
    """Whether who looks at this page may change something."""
    return current_actor().writes


def act_button(label: str, *, disabled: bool = False, help: str | None = None, **options: Any) -> bool:
    """`st.button` of an action. For who may only read it is off, and its help says why."""
    allowed = may_write()
    return st.button(label, disabled=disabled or not allowed, help=help if allowed else READ_ONLY, **options)
