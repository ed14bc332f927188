"""Several runs in one chart and in tables: Plotly, for looking closely, with the curve of each run in its own dash."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from app.blocks import BLUE, GRAY, PINK, RUST, TEAL, html
from app.columns import Columns
from app.curves import Curves, downsample, smooth
from app.words import MISSING, STATE_WORDS, decimals, duration, percent, size, whole
from tunixrt_core.run_summary import RunSummary
from tunixrt_core.runs import Run
from tunixrt_core.variants import Difference

MAX_RUNS = 5
COLORS = (BLUE, RUST, TEAL, PINK, GRAY)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "diamond", "triangle-up", "square", "x")
HEIGHT = 320


@dataclass(frozen=True, slots=True)
class Along:
    """What stands on the horizontal axis: its title, and its value at each train record of a run."""

    title: str
    of_train: Callable[[Columns], Sequence[float]]


def _tokens(train: Columns) -> list[float]:
    counts: list[float] = train.values("trained_tokens").tolist()
    return list(accumulate(0.0 if math.isnan(count) else count for count in counts))


ALONG: Mapping[str, Along] = {
    "Train step": Along("Train step", lambda train: train.steps.astype(float).tolist()),
    "Tokens": Along("Trained tokens", _tokens),
    "Time": Along("Time trained (min)", lambda train: [seconds / 60 for seconds in train.values("time").tolist()]),
}


def points(curves: Curves, along: str, smoothing: float) -> tuple[list[float], list[float]]:
    """The train loss of a run, smoothed and thinned, along what was chosen."""
    xs, losses = ALONG[along].of_train(curves.train), curves.train.values("loss").tolist()
    # not strict: another session may have read on meanwhile
    pairs = [(x, y) for x, y in zip(xs, losses, strict=False) if math.isfinite(x) and math.isfinite(y)]
    average = smooth([y for _, y in pairs], smoothing)
    picked = downsample(average)
    return [pairs[i][0] for i in picked], average[picked].tolist()


def eval_points(curves: Curves, along: str) -> tuple[list[float], list[float]]:
    """The eval loss of a run, at the place of the train record before it."""
    steps, losses = curves.evals.series("loss")
    place = dict(zip(curves.train.steps.tolist(), ALONG[along].of_train(curves.train), strict=False))
    return [place.get(step, 0.0) for step in steps.tolist()], losses.tolist()


def overlay(
    lines: Mapping[str, tuple[list[float], list[float]]], along: str, *, log_scale: bool, markers: bool, key: str
) -> None:
    """One line a run, told apart by colour, dash and marker."""
    figure = go.Figure()
    for i, (name, (xs, ys)) in enumerate(lines.items()):
        figure.add_scatter(
            x=xs,
            y=ys,
            name=name,
            mode="lines+markers" if markers or len(xs) == 1 else "lines",
            line={"color": COLORS[i % len(COLORS)], "dash": DASHES[i % len(DASHES)], "width": 2},
            marker={"symbol": SYMBOLS[i % len(SYMBOLS)], "size": 8},
            hovertemplate="%{y:.3f}",
        )
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        hovermode="x unified",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
        xaxis={"title": ALONG[along].title, "rangemode": "tozero", "showgrid": False},
        yaxis={"title": "Cross-entropy (nats/token)", "type": "log" if log_scale else "linear"},
        showlegend=True,
    )
    last = [f"{name} ends at {ys[-1]:.3f}" for name, (_, ys) in lines.items() if ys]
    st.plotly_chart(
        figure,
        key=key,
        config={"displaylogo": False, "toImageButtonOptions": {"filename": key}},
        alt="; ".join(last) + "." if last else "No curve yet.",
    )


RESULTS: tuple[tuple[str, Callable[[RunSummary], str]], ...] = (
    ("State", lambda s: STATE_WORDS[s.status]),
    ("Train steps", lambda s: whole(s.train_step)),
    ("Train loss", lambda s: decimals(s.train_loss)),
    ("Eval loss", lambda s: decimals(s.eval_loss)),
    ("Best eval loss", lambda s: decimals(s.best_eval_loss)),
    ("At train step", lambda s: whole(s.best_train_step)),
    ("Exact match, base", lambda s: percent(s.exact_match.get("base"))),
    ("Exact match, tuned", lambda s: percent(s.exact_match.get("tuned"))),
    ("Time", lambda s: duration(s.seconds)),
    ("Trained tokens", lambda s: whole(s.trained_tokens)),
    ("Tokens/s", lambda s: whole(None if s.tokens_per_second is None else round(s.tokens_per_second))),
    ("Padding", lambda s: percent(s.padding_share)),
    ("Peak memory", lambda s: MISSING if s.peak_memory_bytes is None else size(s.peak_memory_bytes)),
    ("Alerts", lambda s: whole(s.alerts)),
)


def results_table(runs: Sequence[Run], summaries: Sequence[RunSummary]) -> None:
    """What each run came to, a column a run."""
    _table("Result", [run.id for run in runs], [(name, [of(s) for s in summaries]) for name, of in RESULTS])


def differences_table(runs: Sequence[Run], found: Sequence[Difference]) -> None:
    """Where the manifests differ; what is not as in the first run is bold."""
    rows = [(each.key, ["null" if v is None else f"{v}" for v in each.values]) for each in found]
    _table("Setting", [run.id for run in runs], rows, mark=True)


def _table(corner: str, names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], *, mark: bool = False) -> None:
    head = "".join(f"<th class='v'>{escape(name)}</th>" for name in names)

    def cell(values: Sequence[str], i: int) -> str:
        text = escape(values[i])
        return f"<td class='v'>{f'<strong>{text}</strong>' if mark and values[i] != values[0] else text}</td>"

    body = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(cell(values, i) for i in range(len(values)))}</tr>"
        for name, values in rows
    )
    html(
        f"<div class='scroll'><table class='side'><thead><tr><th>{escape(corner)}</th>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def csv(runs: Sequence[Run], lines: Mapping[str, Curves]) -> str:
    """Every train record of the runs, a line each."""
    rows: list[Any] = ["run,train_step,trained_tokens,seconds,train_loss"]
    for run in runs:
        train = lines[run.id].train
        columns = (train.values(name).tolist() for name in ("trained_tokens", "time", "loss"))
        for step, tokens, seconds, loss in zip(train.steps.tolist(), *columns, strict=False):
            rows.append(f"{run.id},{step},{_plain(tokens)},{_plain(seconds)},{_plain(loss)}")
    return "\n".join(rows) + "\n"


def _plain(value: float) -> str:
    return "" if math.isnan(value) else f"{value:g}"
