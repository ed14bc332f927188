"""Charts and tables of several runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app.compare.data import Reading
from app.ui.blocks import BLUE, GRAY, PINK, RUST, TEAL, html
from app.ui.charts.columns import Columns
from app.ui.charts.curves import Curves, downsample, smooth
from app.ui.words import MISSING, STATE_WORDS, decimals, duration, percent, plural, rate, size, whole
from tunixrt_core.evaluation.run_summary import RunSummary
from tunixrt_core.manifest.variants import Difference
from tunixrt_core.runs.record import Run, RunStatus

MAX_RUNS = 5
COLORS = (BLUE, RUST, TEAL, PINK, GRAY)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "diamond", "triangle-up", "square", "x")
HEIGHT = 320
_MARKERS = 8  # per long line: enough to distinguish it from the others
Line = tuple[list[float], list[float]]


@dataclass(frozen=True, slots=True)
class Along:
    """The horizontal axis: its title, and its value at each train record of a run."""

    title: str
    of_train: Callable[[Columns], Any]


def _tokens(train: Columns) -> Any:
    return np.nan_to_num(train.values("trained_tokens")).cumsum()


ALONG: Mapping[str, Along] = {
    "Train step": Along("Train step", lambda train: train.steps.astype(float)),
    "Tokens": Along("Trained tokens", _tokens),
    "Time": Along("Time trained (min)", lambda train: train.values("time") / 60),
}


def points(curves: Curves, along: str, smoothing: float) -> Line:
    """The train loss of a run, smoothed and thinned, along the chosen axis."""
    xs, losses = ALONG[along].of_train(curves.train), curves.train.values("loss")
    known = np.isfinite(xs) & np.isfinite(losses)
    xs, average = xs[known], smooth(losses[known], smoothing)
    picked = downsample(average)
    return xs[picked].tolist(), average[picked].tolist()


def eval_points(curves: Curves, along: str) -> Line:
    """The eval loss of a run, at the position of the preceding train record."""
    steps, losses = curves.evals.series("loss")
    if not len(curves.train):
        return [0.0] * len(steps), losses.tolist()
    xs = ALONG[along].of_train(curves.train)
    before = np.searchsorted(curves.train.steps, steps, side="right") - 1
    return [0.0 if i < 0 else float(xs[i]) for i in before], losses.tolist()


def figure_of(lines: Mapping[str, Line], along: str, *, log_scale: bool, markers: bool) -> go.Figure:
    """One line per run, distinguished by colour, dash and marker."""
    figure = go.Figure()
    for i, (name, (xs, ys)) in enumerate(lines.items()):
        place = i % MAX_RUNS
        figure.add_scatter(
            x=xs,
            y=ys,
            name=name,
            mode="lines+markers",
            line={"color": COLORS[place], "dash": DASHES[place], "width": 2},
            marker={"symbol": SYMBOLS[place], "size": 8, "maxdisplayed": 0 if markers else _MARKERS},
            hovertemplate="%{y:.3f}",
        )
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        hovermode="x unified",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
        xaxis={"title": ALONG[along].title, "rangemode": "tozero", "showgrid": False},
        yaxis={"title": "Cross-entropy (nats/token)", **({"type": "log", "dtick": "D2"} if log_scale else {})},
        showlegend=True,
    )
    return figure


def overlay(figure: go.Figure, finding: str, *, key: str) -> None:
    """The chart, downloadable as a picture, with its content in words."""
    st.plotly_chart(
        figure,
        key=key,
        config={"displaylogo": False, "toImageButtonOptions": {"filename": key}},
        alt=finding,
    )


def finding_of(lines: Mapping[str, Line], what: str, along: str) -> str:
    """A chart in words: the run that ends lowest, and where the others end."""
    ends = sorted((ys[-1], name) for name, (_, ys) in lines.items() if ys)
    if not ends:
        return f"{what}: no run has a curve yet."
    (low, best), *rest = ends
    others = ", ".join(f"{name} at {value:.3f}" for value, name in rest)
    said = f"{best} ends lowest, at {low:.3f}" + (f"; {others}" if others else "")
    none = [name for name, (_, ys) in lines.items() if not ys]
    missing = f" No curve: {', '.join(none)}." if none else ""
    return f"{what} along {ALONG[along].title.lower()}: {said}.{missing}"


def page_of(title: str, figures: Mapping[str, go.Figure]) -> str:
    """The charts as one self-contained HTML page, Plotly's code included."""
    parts = [
        f"<h2>{escape(name)}</h2>{figure.to_html(full_html=False, include_plotlyjs=i == 0)}"
        for i, (name, figure) in enumerate(figures.items())
    ]
    head = f"<meta charset='utf-8'><title>{escape(title)}</title><style>body{{font-family:sans-serif}}</style>"
    body = f"<h1>{escape(title)}</h1>{''.join(parts)}"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{body}</body></html>"


_TINTS = {
    RunStatus.SUCCEEDED: "green",
    RunStatus.FAILED: "red",
    RunStatus.STOPPED: "amber",
    RunStatus.INTERRUPTED: "amber",
    RunStatus.BROKEN: "red",
    RunStatus.QUEUED: "grey",
}


def _exact_match(summary: RunSummary, target: str) -> str:
    """`47.2% (41.0 to 53.5, n = 250)`: the interval is that of 95 %."""
    value = summary.exact_match.get(target)
    if value is None:
        return MISSING
    told = summary.exact_match_of.get(target)
    if told is None:
        return percent(value)
    low, high = (f"{100 * max(0.0, told[end]):.1f}" for end in ("low", "high"))
    return f"{percent(value)} ({low} to {high}, n = {told['rows']:,.0f})"


RESULTS: tuple[tuple[str, Callable[[RunSummary], str]], ...] = (
    ("Train steps", lambda s: whole(s.train_step)),
    ("Train loss", lambda s: decimals(s.train_loss)),
    ("Eval loss", lambda s: decimals(s.eval_loss)),
    ("Best eval loss", lambda s: decimals(s.best_eval_loss)),
    ("At train step", lambda s: whole(s.best_train_step)),
    ("Exact match, base", lambda s: _exact_match(s, "base")),
    ("Exact match, tuned", lambda s: _exact_match(s, "tuned")),
    ("Right in any form, base", lambda s: percent(s.flexible_match.get("base"))),
    ("Right in any form, base with its own prompt", lambda s: percent(s.flexible_match.get("base_own"))),
    ("Right in any form, tuned", lambda s: percent(s.flexible_match.get("tuned"))),
    ("Time", lambda s: duration(s.seconds)),
    ("Trained tokens", lambda s: whole(s.trained_tokens)),
    ("Tokens/s", lambda s: whole(None if s.tokens_per_second is None else round(s.tokens_per_second))),
    ("Padding", lambda s: percent(s.padding_share)),
    ("Peak memory", lambda s: MISSING if s.peak_memory_bytes is None else size(s.peak_memory_bytes)),
    ("Alerts", lambda s: whole(s.alerts)),
)


def results_table(runs: Sequence[Run], summaries: Sequence[RunSummary]) -> None:
    """Results, one column per run. Rows without any value are left out."""
    states = [f"<span class='chip {_TINTS.get(s.status, 'blue')}'>{STATE_WORDS[s.status]}</span>" for s in summaries]
    rows = [(name, [escape(of(s)) for s in summaries]) for name, of in RESULTS]
    told = [row for row in rows if any(value != MISSING for value in row[1])]
    _table("Result", [run.id for run in runs], [("State", states), *told])


def settings_table(runs: Sequence[Run], settings: Sequence[Difference]) -> None:
    """The manifests side by side. Values that differ from the first run are bold."""
    rows = []
    for each in settings:
        shown = [escape(setting_words(value)) for value in each.values]
        rows.append((each.key, [f"<strong>{v}</strong>" if v != shown[0] else v for v in shown]))
    _table("Setting", [run.id for run in runs], rows)


def setting_words(value: Any) -> str:
    """`2e-4`, `none`, `on`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return rate(value) if 0 < abs(value) < 0.01 else f"{value:g}"
    return whole(value) if isinstance(value, int) else str(value)


def settings_note(settings: Sequence[Difference]) -> str:
    """`4 of 38 settings differ`."""
    count = sum(each.differs for each in settings)
    return f"{count:,} of {plural(len(settings), 'setting')} {'differs' if count == 1 else 'differ'}"


def _table(corner: str, names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> None:
    """`rows` contain markup in which external text is already escaped."""
    head = "".join(f"<th class='v' scope='col'>{escape(name)}</th>" for name in names)

    def line(name: str, values: Sequence[str]) -> str:
        cells = "".join(f"<td class='v'>{value}</td>" for value in values)
        return f"<tr><th scope='row'>{escape(name)}</th>{cells}</tr>"

    body = "".join(line(name, values) for name, values in rows)
    html(
        f"<div class='scroll'><table class='side facts'><thead><tr><th scope='col'>{escape(corner)}</th>{head}</tr>"
        f"</thead><tbody>{body}</tbody></table></div>"
    )


def csv(runs: Sequence[Run], found: Sequence[Reading]) -> str:
    """CSV of every train record and every evaluation of the runs, one per line."""
    rows = ["run,train_step,trained_tokens,seconds,train_loss,eval_loss"]
    for run, reading in zip(runs, found, strict=True):
        train, evals = reading.curves.train, reading.curves.evals
        columns = (column.tolist() for column in (_tokens(train), train.values("time"), train.values("loss")))
        eval_losses = dict(zip(*(column.tolist() for column in evals.series("loss")), strict=True))
        for step, *values in zip(train.steps.tolist(), *columns, strict=True):
            numbers = (*values, eval_losses.pop(step, np.nan))
            rows.append(f"{run.id},{step},{','.join(map(_plain, numbers))}")
        rows += [f"{run.id},{step},,,,{_plain(loss)}" for step, loss in eval_losses.items()]
    return "\n".join(rows) + "\n"


def _plain(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.10g}"
