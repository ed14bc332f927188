"""Differences of two evaluations in every score, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st

from app.evaluations.compare import compared
from app.evaluations.evaluated import Side, metric_words
from app.ui.blocks import BLUE, GRAY, RUST
from app.ui.boundary import escape_markdown
from app.ui.charts.figure import show_figure
from app.ui.components import card
from app.ui.words import p_value, percent, points_between
from tunixrt_core.evaluation.results.statistics import Estimate, holm
from tunixrt_core.evaluation.scorers.known import KnownScorer

MOST_ROWS = 2_000  # above it the intervals of all scores would delay the page by a second the first time
_BAR_HEIGHT = 30
_KINDS = {"better": (BLUE, "circle"), "worse": (RUST, "diamond"), "undecided": (GRAY, "circle-open")}


@dataclass(frozen=True, slots=True)
class ScoreDifference:
    """Second minus first in one score, a share; `p_holm` is corrected for the number of scores."""

    name: str
    first: float
    second: float
    difference: Estimate
    higher_is_better: bool | None
    p_holm: float

    @property
    def words(self) -> str:
        return points_between(self.difference.value, self.difference.low, self.difference.high)

    @property
    def kind(self) -> str:
        if self.higher_is_better is None or self.difference.low <= 0 <= self.difference.high:
            return "undecided"
        return "better" if (self.difference.value > 0) is self.higher_is_better else "worse"


def show_every_score(first: Side, second: Side, scorers: Sequence[KnownScorer]) -> None:
    """Hidden if they share fewer than two scores that are shares: the comparison shows the only one."""
    if len(second.predictions) > MOST_ROWS:
        return
    found = differences(first, second, scorers)
    if len(found) < 2:
        return
    with card("Every score", note="difference on the same rows, 95% interval", key="every-score"):
        show_figure(
            figure_of(found),
            key="score-intervals",
            config={"displaylogo": False, "toImageButtonOptions": {"filename": "score-differences"}},
            alt=finding(found, first.title, second.title),
        )
        said = f"{second.title} minus {first.title}. Left of the line is lower, which is better for some scores."
        st.caption(escape_markdown(said))


def differences(first: Side, second: Side, scorers: Sequence[KnownScorer]) -> list[ScoreDifference]:
    """One per score that is a share and that both have for some row, in the order of the scorers."""
    shared = [s for s in scorers if s.unit == "share" and all(_has(side, s.name) for side in (first, second))]
    figures = {s.name: compared(first, second, None, s.name, s.higher_is_better is not False) for s in shared}
    adjusted = holm({name: one.p_value for name, one in figures.items()})
    return [
        ScoreDifference(s.name, one.first.value, one.second.value, one.difference, s.higher_is_better, adjusted[s.name])
        for s in shared
        if (one := figures[s.name]).first and one.second and one.difference
    ]


def _has(side: Side, name: str) -> bool:
    return any(p.scores.get(name) is not None for p in side.predictions)


def figure_of(found: Sequence[ScoreDifference]) -> go.Figure:
    """One row per score, the first on top, distinguished by colour and mark."""
    figure = go.Figure()
    for kind, (color, symbol) in _KINDS.items():
        of_kind = [one for one in found if one.kind == kind]
        if not of_kind:
            continue
        figure.add_scatter(
            x=[100 * one.difference.value for one in of_kind],
            y=[metric_words(one.name) for one in of_kind],
            error_x={
                "array": [100 * (one.difference.high - one.difference.value) for one in of_kind],
                "arrayminus": [100 * (one.difference.value - one.difference.low) for one in of_kind],
                "thickness": 3,
                "width": 0,
            },
            mode="markers",
            name=kind.capitalize(),
            marker={"color": color, "symbol": symbol, "size": 11, "line": {"width": 2, "color": color}},
            customdata=[_hover(one) for one in of_kind],
            hovertemplate="%{y}<br>%{customdata}<extra></extra>",
        )
    figure.add_vline(x=0, line_width=1, line_color=GRAY)
    figure.update_layout(
        height=90 + _BAR_HEIGHT * len(found),
        margin={"l": 8, "r": 16, "t": 30, "b": 8},
        xaxis={"title": "Difference (points)", "zeroline": False},
        yaxis={
            "categoryorder": "array",
            "categoryarray": [metric_words(one.name) for one in reversed(found)],
            "showgrid": False,
        },
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        showlegend=True,
    )
    return figure


def _hover(one: ScoreDifference) -> str:
    return f"{percent(one.first)} to {percent(one.second)}<br>{one.words}<br>p after Holm: {p_value(one.p_holm)}"


def finding(found: Sequence[ScoreDifference], first: str, second: str) -> str:
    """The chart in words."""
    said = "; ".join(f"{metric_words(one.name)} {one.words}, {one.kind}" for one in found)
    return f"{second} minus {first}: {said}."
