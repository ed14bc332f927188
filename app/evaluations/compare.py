"""Comparison of two evaluations: wins, losses and their significance."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.evaluations.evaluated import Side, metric_words
from app.ui import blocks
from app.ui.boundary import escape_markdown
from app.ui.components import card, table
from app.ui.words import MISSING, p_value, plural, points_between
from tunixrt_core.evaluation.results.comparison import Comparison, compare
from tunixrt_core.evaluation.results.figures import Figures
from tunixrt_core.evaluation.results.format_gain import FormatGain
from tunixrt_core.evaluation.results.own_gain import OwnGain
from tunixrt_core.evaluation.results.statistics import Estimate
from tunixrt_core.evaluation.scorers.known import KnownScorer


@st.cache_data(
    max_entries=64, show_spinner=False, hash_funcs={Side: lambda side: (side.record.id, id(side.predictions))}
)
def compared(first: Side, second: Side, own: Side | None, scorer: str, higher_is_better: bool) -> Comparison:
    """Cached, as the bootstrap is slow for many rows."""
    answers = own.predictions if own else ()
    return compare(first.predictions, second.predictions, scorer, own=answers, higher_is_better=higher_is_better)


def show_comparison(
    first: Side | None, second: Side, scorer: KnownScorer, own: Side | None = None
) -> Comparison | None:
    """The paired comparison. None if there is nothing to compare with. `own`: the first with its own prompt."""
    with card("Comparison", note="paired, on the same rows", key="comparison"):
        if first is None:
            st.caption("Nothing to compare with: evaluate another model on this eval set.")
            return None
        if any(scorer.name not in p.scores for side in (first, second) for p in side.predictions[:1]):
            st.caption(
                f"One of the two has no scores by {scorer.name}. Evaluate it with that scorer; its answers are kept."
            )
            return None
        found = compared(first, second, own, scorer.name, scorer.higher_is_better is not False)
        _show(found, first, second, scorer)
        return found


def _show(found: Comparison, first: Side, second: Side, scorer: KnownScorer) -> None:
    st.markdown(f"**{escape_markdown(second.title)}** against **{escape_markdown(first.title)}**")
    if found.binary and found.both is not None and found.neither is not None:
        parts = [
            ("Both right", found.both, blocks.TEAL),
            ("Fixed", found.fixed, blocks.BLUE),
            ("Broken", found.broken, blocks.RUST),
            ("Both wrong", found.neither, blocks.GRAY),
        ]
    else:
        parts = [
            ("Better", found.wins, blocks.BLUE),
            ("Worse", found.losses, blocks.RUST),
            ("The same", found.ties, blocks.GRAY),
        ]
    blocks.segments(parts, ", ".join(f"{count} {name.lower()}" for name, count, _ in parts))
    test = "McNemar p" if found.binary else "Sign test p"
    blocks.key_values(
        [
            ("Difference", _difference(found, scorer)),
            (
                test,
                f"{p_value(found.p_value)} ({found.fixed} {'fixed' if found.binary else 'better'}, "
                f"{found.broken} {'broken' if found.binary else 'worse'})",
            ),
            ("Rows", f"{found.rows:,} answered by both"),
            *_format_rows(found.format_gain),
            *_own_rows(found.own_gain),
        ]
    )
    st.markdown(escape_markdown(conclusion(found, second.title, first.title)))
    if found.own_gain is not None:
        st.caption(own_conclusion(found.own_gain))
    for warning in found.warnings:
        st.caption(f":material/info: {warning}")


def _format_rows(gain: FormatGain | None) -> list[tuple[str, str]]:
    """What of a gain is right answers, and what is format."""
    if gain is None:
        return []
    told = [("Right, in any form", gain.flexible), ("Right and in format", gain.strict)]
    rows = [(name, points_between(each.value, each.low, each.high)) for name, each in told]
    return [*rows, ("Format alone", f"{100 * gain.format:+.1f} points")]


def _own_rows(gain: OwnGain | None) -> list[tuple[str, str]]:
    """What is left of a gain over the base in its own prompt."""
    if gain is None:
        return []
    over = points_between(gain.gain.value, gain.gain.low, gain.gain.high)
    counts = f"{gain.fixed} fixed, {gain.broken} broken"
    return [
        ("Over the base in its own prompt", f"{over}, p {p_value(gain.p_value)} ({counts})"),
        ("Prompt alone", f"{100 * gain.prompt:+.1f} points"),
    ]


def own_conclusion(gain: OwnGain) -> str:
    """One sentence about the base in its own prompt that claims no more than the test allows."""
    said = "Right answers in any form, against the base asked in its own chat template: "
    if gain.p_value >= 0.05:
        said += f"no significant difference on {plural(gain.rows, 'row')}."
    else:
        said += f"{'better' if gain.fixed > gain.broken else 'worse'} on this eval set."
    if gain.cut:
        said += f" {100 * gain.cut:.0f}% of the base's own answers ended at the token limit: raise it."
    return said


def _difference(found: Figures, scorer: KnownScorer) -> str:
    if found.difference is None:
        return MISSING
    value, low, high = found.difference.value, found.difference.low, found.difference.high
    if scorer.unit == "share":
        return points_between(value, low, high)
    return f"{value:+,.2f} ({low:+,.2f} to {high:+,.2f})"


def conclusion(found: Figures, second: str = "The second", first: str = "the first") -> str:
    """One sentence that claims no more than the test allows."""
    if found.difference is None or not found.rows:
        return "No row was answered by both."
    if found.p_value >= 0.05:
        return f"No significant difference on {plural(found.rows, 'row')}."
    better = "better" if found.wins > found.losses else "worse"
    also = ""
    if found.binary and found.broken and better == "better":
        also = f" It also broke {plural(found.broken, 'row')} that {first} had right."
    return f"{second} is {better} on this eval set.{also}"


def show_groups(found: Comparison, scorer: KnownScorer) -> None:
    """The same figures per value of each grouping column."""
    if not found.groups:
        return
    with card("By group", note="p with Holm's correction for the number of groups", key="groups"):
        table(
            [
                {
                    "column": group.column,
                    "value": MISSING if group.value is None else group.value,
                    "rows": group.rows,
                    "first": _mean(group.first, scorer),
                    "second": _mean(group.second, scorer),
                    "flips": f"{group.fixed} / {group.broken}",
                    "p": p_value(group.p_holm),
                }
                for group in found.groups
            ],
            {
                "column": st.column_config.TextColumn("Column", width=110),
                "value": st.column_config.TextColumn("Value"),
                "rows": st.column_config.NumberColumn("Rows", format="localized", width=70),
                "first": _number("First", scorer),
                "second": _number("Second", scorer),
                "flips": st.column_config.TextColumn("Better / worse", width=110),
                "p": st.column_config.TextColumn("p (Holm)", width=100),
            },
            key="group-table",
            alt=f"{metric_words(scorer.name)} of both by {plural(len(found.groups), 'group')}.",
        )


def _mean(estimate: Estimate | None, scorer: KnownScorer) -> float | None:
    if estimate is None:
        return None
    return 100 * estimate.value if scorer.unit == "share" else estimate.value


def _number(label: str, scorer: KnownScorer) -> Any:
    share = scorer.unit == "share"
    return st.column_config.NumberColumn(label, format="%.1f%%" if share else "%.2f", width=90)
