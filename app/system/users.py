"""System cards: users, and the audit log."""

from __future__ import annotations

import streamlit as st

from app.state import get_pipeline
from app.ui.boundary import error_boundary
from app.ui.components import card
from app.ui.words import MISSING, moment
from tunixrt_core.home.audit import OUTCOMES, AuditEntry, AuditQuery

SHOWN = 200
ANY = "any outcome"


def show_users() -> None:
    """The users with a token of their own."""
    with error_boundary(), card("Users", note="besides the server's own token", key="users"):
        users = get_pipeline().users.all()
        if users:
            st.dataframe(
                {
                    "User": [user.name for user in users],
                    "Role": [user.role for user in users],
                    "Since": [moment(user.created_at) for user in users],
                    "Revoked": [moment(user.revoked_at) if user.revoked_at else "" for user in users],
                },
                hide_index=True,
                key="users-table",
            )
        st.caption("To make and to revoke a token, on the machine of the server:")
        st.code("tunixrt users add NAME --role read\ntunixrt users revoke NAME", language="bash")


def show_audit() -> None:
    """Who did what, with filters."""
    with error_boundary(), card("Audit log", note=f"the newest {SHOWN} that match", key="audit"):
        with st.container(horizontal=True):
            who = st.text_input("User", key="audit-who", width=220)
            name = st.text_input("Object", key="audit-object", placeholder="r-0001", width=220)
            outcome = st.selectbox("Outcome", (ANY, *OUTCOMES), key="audit-outcome", width=180)
        query = AuditQuery(who.strip(), "", name.strip(), "" if outcome == ANY else str(outcome))
        found = get_pipeline().audit.entries(query, limit=SHOWN)
        if not found:
            st.caption("No entry matches.")
            return
        st.dataframe(_columns(found), hide_index=True, key="audit-table")


def _columns(found: list[AuditEntry]) -> dict[str, list[str]]:
    return {
        "Time": [moment(entry.at) for entry in found],
        "Who": [entry.who for entry in found],
        "From": [f"{entry.via}, {entry.address}" if entry.address else entry.via for entry in found],
        "What": [f"{entry.action} {entry.kind}" for entry in found],
        "Object": [entry.object or MISSING for entry in found],
        "Outcome": [entry.outcome for entry in found],
        "Why": [entry.why for entry in found],
    }
