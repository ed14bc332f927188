"""Items that need attention, each with its action."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.state import get_pipeline
from app.ui import blocks
from app.ui.boundary import show_error
from app.ui.components import card
from app.ui.navigation import go
from app.ui.visitors import act_button
from app.ui.words import one_line, plural
from tunixrt_core.errors import TunixRTError
from tunixrt_core.home.attention import Attention

SHOWN = 4
_BADGES = {
    "damaged": ("Damaged", "red"),
    "failed": ("Failed", "red"),
    "interrupted": ("Interrupted", "amber"),
    "alert": ("Alerts", "amber"),
    "warning": ("Warning", "amber"),
    "stale": ("Stale", "grey"),
}
_NEEDS_TUNIX = {"view run", "resume", "evaluate again"}


def show_attention(items: Sequence[Attention], *, tunix: bool) -> None:
    """The most severe items; the others are in an expander."""
    with card("Needs attention", note=f"{len(items)}", key="attention"):
        shown = first_few(items)
        for item in shown:
            _show(item, tunix)
        if rest := [item for item in items if item not in shown]:
            more = st.expander(f"{len(rest)} more", key="more-attention", on_change="rerun")
            if more.open:  # a closed expander costs nothing
                with more:
                    _show_rest(items, rest, tunix)


def _show_rest(items: Sequence[Attention], rest: Sequence[Attention], tunix: bool) -> None:
    for item in rest:
        _show(item, tunix)
    if act_button("Mark all as seen", icon=":material/done_all:", key="seen-all", type="tertiary"):
        _seen([one.key for one in items])


def first_few(items: Sequence[Attention]) -> list[Attention]:
    """The newest item of each kind, then the second of each, so that many failed runs hide no other kind."""
    kinds = [item.kind for item in items]
    places = {id(item): kinds[:i].count(item.kind) for i, item in enumerate(items)}
    chosen = sorted(items, key=lambda item: places[id(item)])[:SHOWN]
    return [item for item in items if item in chosen]


def _show(item: Attention, tunix: bool) -> None:
    badge, tint = _BADGES[item.kind]
    name = "-".join((item.action, str(item.target))).replace(" ", "-")
    with st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        wrap=False,
        key=f"row-{item.kind}-{name}",
    ):
        with st.container(width="stretch"):
            blocks.facts(
                item.name or item.subject, badge, tint, one_line(item.text, 170), code=item.subject if item.name else ""
            )
        with st.container(horizontal=True, width="content", gap="xsmall", vertical_alignment="center", wrap=False):
            if (tunix or item.action not in _NEEDS_TUNIX) and st.button(_words(item), key=f"do-{item.kind}-{name}"):
                _do(item)
            if act_button(
                "",
                icon=":material/check:",
                key=f"seen-{item.kind}-{name}",
                type="tertiary",
                help="Mark as seen: it stays hidden until something new happens.",
            ):
                _seen([item.key])


def _words(item: Attention) -> str:
    if item.action == "review rows":
        return f"Review {plural(item.rows, 'row')}"
    return "Open System" if item.action == "check database" else item.action.capitalize()


def _seen(keys: Sequence[str]) -> None:
    get_pipeline().home.mark_seen(keys)
    st.rerun()


def _do(item: Attention) -> None:
    """Open the page that resolves the item, or resolve it at once."""
    if item.action == "view run":
        go("run", run=item.target)
    if item.action == "view dataset":
        go("datasets", dataset=item.target)
    if item.action == "review rows":
        go("datasets", dataset=item.target, gate=item.gate)
    if item.action == "evaluate again":
        go("evaluations", new="1", run=item.target)
    if item.action == "check database":
        go("system")
    try:
        if item.action == "resume":
            get_pipeline().runs.resume(item.target)
        else:
            get_pipeline().evaluations.score_again(item.target)
    except TunixRTError as error:
        show_error(error)
        return
    if item.action == "resume":
        go("run", run=item.target)
    st.toast("The answers are being scored again. No model is needed.")
    st.rerun()
