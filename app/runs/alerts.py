"""Alerts of a run, with evidence and a clone that fixes the cause."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.runs.actions import show_clone
from app.ui.boundary import escape_markdown
from tunixrt_core.runs.metrics import Alert
from tunixrt_core.runs.record import Run

SHOWN = 3
TITLES = {
    "nan": "Not a number",
    "uniform_guess": "No better than a guess",
    "loss_spike": "Loss spike",
    "gradient_explosion": "Gradient explosion",
    "plateau": "Plateau",
    "overfitting": "Overfitting",
    "stalled_input": "Waiting for rows",
    "slow_steps": "Slow train steps",
    "recompile": "Compiled twice",
    "disk_filling": "Disk is filling",
}


def newest_of_each(alerts: Sequence[Alert]) -> list[Alert]:
    """The last alert of each kind, newest first."""
    last = {alert.alert: alert for alert in alerts}
    return sorted(last.values(), key=lambda alert: -alert.train_step)


def show_alerts(run: Run, alerts: Sequence[Alert]) -> None:
    """One line per alert, with a suggestion; further ones are in an expander."""
    found = newest_of_each(alerts)
    for alert in found[:SHOWN]:
        _show(run, alert)
    if rest := found[SHOWN:]:
        with st.expander(f"{len(rest)} more", key="more-alerts"):
            for alert in rest:
                _show(run, alert)


def _show(run: Run, alert: Alert) -> None:
    kind, change = alert.alert, alert.change
    evidence = escape_markdown(alert.evidence)
    advice = f" {escape_markdown(change)}" if isinstance(change, str) else ""
    with st.container(horizontal=True, vertical_alignment="center", key=f"alert-{kind}"):
        st.warning(
            f"**{TITLES.get(kind, kind)}**: {evidence}.{advice}",
            icon=":material/error:" if kind == "nan" else ":material/warning:",
        )
        if not isinstance(change, str):
            with st.popover("Clone with this change", key=f"fix-{kind}"):
                show_clone(run, change, key=f"fix-{kind}")
