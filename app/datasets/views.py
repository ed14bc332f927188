"""Contents of a dataset version: lengths, gates, differences, card."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.datasets.lists import small_list
from app.state import get_pipeline
from app.ui import blocks
from app.ui.address import kept_in_address
from app.ui.boundary import escape_markdown
from app.ui.components import card
from app.ui.navigation import go
from app.ui.reading.reader import show_reading
from app.ui.reading.values import reading_of_trace
from app.ui.words import MISSING, one_line, percent, plural, whole
from tunixrt_core.datasets.gates.findings import GateOutcome
from tunixrt_core.datasets.gates.registry import GATES
from tunixrt_core.datasets.gates.texts import whole_text
from tunixrt_core.datasets.gates.why import FindingView
from tunixrt_core.datasets.lengths import Lengths
from tunixrt_core.datasets.versions import DatasetDiff, DatasetVersion

_SHOWN = 200  # rows behind a gate that are listed
_NAMED = 50  # rows of a difference that are named


def scaled(tokens: int, version: DatasetVersion, lengths: Lengths) -> str:
    """Tokens of a whole version, with `about` if only a sample was counted."""
    if lengths.rows in (0, version.rows):
        return whole(tokens)
    return f"about {whole(round(tokens * version.rows / lengths.rows))}"


def show_missing(version: DatasetVersion) -> None:
    """A warning where traces of the version were deleted, with the runs that were made from it."""
    if missing := get_pipeline().datasets.missing_of(version):
        st.warning(
            escape_markdown(
                f"{version.label}: {missing.missing_words} Files exported before are kept and can be trained; a new "
                "export lacks these rows. Importing the traces again restores them."
            ),
            icon=":material/heart_broken:",
        )


def show_split_table(version: DatasetVersion, lengths: Lengths | None) -> None:
    """Share and tokens of either split; dashes while tokens are being counted."""
    st.table(
        [
            {
                "Split": name,
                "Share": percent(rows / max(1, version.rows)),
                "Tokens": scaled(split.tokens, version, lengths) if lengths and split else MISSING,
                "Median": whole(split.median) if split else MISSING,
                "Longest": whole(split.longest) if split else MISSING,
            }
            for name, rows, split in (
                ("Train", version.train_rows, lengths.train if lengths else None),
                ("Eval", version.eval_rows, lengths.eval if lengths else None),
            )
        ],
        border="horizontal",
        hide_index=True,
    )


def show_checks(outcomes: Sequence[GateOutcome]) -> None:
    """One line per gate: what it checked, and what it found."""
    if not outcomes:
        st.caption("This version was built without gates. Choose some when you build the next one.")
        return
    blocks.checks(("warning" if one.rows else "pass", GATES[one.gate].title, _said(one)) for one in outcomes)


def _said(outcome: GateOutcome) -> str:
    found = f"{plural(outcome.rows, 'row')} of {outcome.checked:,}"
    fate = {"warn": "kept", "exclude": "left out"}[outcome.action] if outcome.rows else "none found"
    return f"{found}, {fate}" if outcome.rows else f"{fate} in {plural(outcome.checked, 'row')}"


def show_findings(version: DatasetVersion, outcomes: Sequence[GateOutcome]) -> None:
    """Gates as chips with their counts, and the rows behind the chosen one."""
    found = {one.gate: one for one in outcomes if one.rows}
    if not found:
        return
    with card("Rows behind the gates", note=plural(sum(o.rows for o in found.values()), "finding"), key="findings"):
        key = f"gate-chip-{version.content_hash[:8]}"
        write = kept_in_address(
            "gate", list(found), next(iter(found)), key=key, then=lambda: st.query_params.pop("finding", None)
        )
        chip = st.pills(
            "Gate",
            list(found),
            format_func=lambda name: f"{GATES[name].title} · {found[name].rows:,}",
            label_visibility="collapsed",
            key=key,
            required=True,
            on_change=write,
        )
        gate = str(chip)
        views = get_pipeline().datasets.findings(version.name, version.version, gate, limit=_SHOWN)
        named = [view.finding.hash[:12] for view in views]
        at = named.index(wanted) if (wanted := st.query_params.get("finding", "")) in named else 0
        listed = [
            {
                "id": view.finding.hash[:12],
                "why": view.words,
                "prompt": one_line(view.trace.prompt, 90) if view.trace else "",
            }
            for view in views
        ]
        label = f"{len(views)} rows behind the gate {GATES[gate].title}"
        small_list("findings", listed, key="finding-list", shown=named[at], label=label, in_view=6)
        if found[gate].rows > len(views):
            st.caption(f"The first {len(views)} of {found[gate].rows:,} rows.")
        _show_finding(views[at])


def _show_finding(view: FindingView) -> None:
    if view.trace is None:
        st.caption(view.words)
        return
    if view.span:
        blocks.stretch(view.before, view.span, view.after, str(view.finding.detail["field"]).capitalize())
    if view.other is not None:
        blocks.side_by_side(
            (f"Found · {view.finding.hash[:8]}", whole_text(view.trace)),
            (f"Like · {view.finding.detail['other'][:8]}", whole_text(view.other)),
        )
    elif not view.span:
        show_reading(reading_of_trace(view.trace), f"Trace {view.finding.hash[:8]}", key="finding-trace")
    if st.button("Open trace", icon=":material/open_in_new:", key="open-trace"):
        go("traces", trace=view.finding.hash)


def show_diff(version: DatasetVersion, versions: Sequence[DatasetVersion]) -> None:
    """What changed from an earlier version of the same name, with the rows."""
    others = [one.version for one in versions if one.name == version.name and one.version != version.version]
    if not others:
        return
    with card("Changes", note=f"to version {version.version}", key="changes"):
        start = version.parent if version.parent in others else others[0]
        key = f"diff-from-{version.version}"
        write = kept_in_address("from", others, start, key=key)
        before = st.selectbox("From version", others, key=key, width=160, on_change=write)
        found = get_pipeline().datasets.diff(version.name, before, version.version)
        blocks.segments(
            [
                ("Kept", found.kept, blocks.GRAY),
                ("Added", len(found.added), blocks.TEAL),
                ("Removed", len(found.removed), blocks.RUST),
                ("Moved", len(found.moved), blocks.PINK),
                ("Changed", len(found.changed), blocks.BLUE),
            ],
            f"{len(found.added)} added, {len(found.removed)} removed, {len(found.moved)} moved, "
            f"{len(found.changed)} changed, {found.kept} kept",
        )
        if lines := _diff_lines(found):
            with st.expander("Rows", key="diff-rows"):
                st.code("\n".join(lines), language="diff", wrap_lines=True)


def _diff_lines(found: DatasetDiff) -> list[str]:
    kinds = (
        ("+", "added", found.added),
        ("-", "removed", found.removed),
        (">", "moved to the other side", found.moved),
        ("~", "changed", [f"{before} -> {after}" for before, after in found.changed]),
    )
    lines = []
    for mark, words, rows in kinds:
        lines += [f"{mark} {row}" for row in rows[:_NAMED]]
        if len(rows) > _NAMED:
            lines.append(f"{mark} and {len(rows) - _NAMED:,} more {words}")
    return lines


def show_card(version: DatasetVersion) -> None:
    """The dataset card, as text."""
    with st.expander("Dataset card", key="dataset-card", on_change="rerun") as shown:
        if shown.open:
            card_text = get_pipeline().datasets.card(version.name, version.version)
            st.code(card_text, language="markdown", wrap_lines=True)
            st.download_button(
                "Download card",
                card_text,
                f"{version.name}-v{version.version}.md",
                "text/markdown",
                key="download-card",
            )
