"""Leaderboard of one eval set, with intervals."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from html import escape
from typing import Any

import streamlit as st

from app.evaluations.evaluated import asked_words, metric_words, value_words
from app.ui import blocks
from app.ui.components import card
from app.ui.words import whole
from tunixrt_core.evaluation.results.leaderboard import Board, Entry
from tunixrt_core.evaluation.scorers.known import KnownScorer

COLORS = {"base": blocks.GRAY, "tuned": blocks.BLUE}


def board_filters(board: Board) -> dict[str, Any]:
    """Filters of the board, as `Pipeline.leaderboard` takes them. The address contains the choices."""
    datasets = sorted({e.dataset for e in board.entries if e.dataset})
    models = sorted({e.model for e in board.entries if e.model})
    bound: dict[str, Any] = {"bind": "query-params"}
    set_now = sum(
        bool(st.session_state.get(key)) for key in ("board-dataset", "board-model", "board-since", "board-until")
    )
    with st.popover(f"Filters ({set_now})" if set_now else "Filters", icon=":material/tune:", width="content"):
        dataset = st.selectbox(
            "Trained on", datasets, index=None, key="board-dataset", placeholder="Any dataset", **bound
        )
        model = st.selectbox("Made from", models, index=None, key="board-model", placeholder="Any model", **bound)
        since = st.date_input("Evaluated from", None, key="board-since", **bound)
        until = st.date_input("Until", None, key="board-until", **bound)
    return {"dataset": dataset, "model": model, "since": _day(since), "until": _day(until, end=True)}


def _day(day: date | None, *, end: bool = False) -> datetime | None:
    """The first or the last moment of a day, UTC."""
    return None if day is None else datetime.combine(day, time.max if end else time.min, UTC)


def show_board(board: Board, scorer: KnownScorer) -> None:
    """The entries, best first. An HTML table, as each row has an interval drawn in it."""
    note = "95% interval" if any(e.low is not None for e in board.entries) else f"mean {scorer.unit}"
    with card("Leaderboard", note=note, key="board"):
        if not board.entries:
            st.caption("No finished evaluation of this eval set has this score and passes the filters.")
            return
        low, high = scale(board.entries)
        body = "".join(_row(place, entry, scorer, low, high) for place, entry in enumerate(board.entries, 1))
        ends = f"<span style='float:right'>{value_words(high, scorer.unit)}</span>{value_words(low, scorer.unit)}"
        head = f"<th>#</th><th>Model</th><th class='n'>{escape(metric_words(scorer.name))}</th><th>{ends}</th>"
        rows = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        blocks.html(f"<div class='scroll'><table class='iv board'>{rows}</table></div>")
        if scorer.higher_is_better is False:
            st.caption("Lower is better.")
        st.download_button(
            "Download CSV",
            board_csv(board, scorer.name),
            f"leaderboard-{board.eval_set.sha256[:8]}.csv",
            "text/csv",
            icon=":material/download:",
            key="download-board",
            type="tertiary",
            on_click="ignore",
        )


def scale(entries: Sequence[Entry]) -> tuple[float, float]:
    """The ends of the axis: the range of the values with a margin; shares stay within 0 to 1."""
    lows = [e.value if e.low is None else e.low for e in entries]
    highs = [e.value if e.high is None else e.high for e in entries]
    low, high = min(lows), max(highs)
    room = 0.05 * (high - low) or 0.05
    shares = low >= 0 and high <= 1
    return (max(0.0, low - room), min(1.0, high + room)) if shares else (low - room, high + room)


def _row(place: int, entry: Entry, scorer: KnownScorer, low: float, high: float) -> str:
    name, note = entry_words(entry)
    notes = "".join(f"<div class='small'><span class='chip amber'>{escape(text)}</span></div>" for text in entry.notes)
    forms = _forms(entry)
    between = ""
    if entry.low is not None and entry.high is not None:
        between = f"{value_words(entry.low, scorer.unit)} to {value_words(entry.high, scorer.unit)}"
    color = COLORS[entry.target]
    at, start, end = (
        100 * (x - low) / (high - low)
        for x in (
            entry.value,
            entry.value if entry.low is None else entry.low,
            entry.value if entry.high is None else entry.high,
        )
    )
    return (
        f"<tr><td class='place'>{place}</td>"
        f"<td><strong>{escape(name)}</strong><div class='mut small'>{escape(note)}</div>{notes}</td>"
        f"<td class='n'><strong>{value_words(entry.value, scorer.unit)}</strong>"
        f"<div class='mut small'>{between}</div>{forms}</td>"
        f"<td><div class='track'><i style='left:{start:.1f}%;width:{end - start:.1f}%;background:{color}'></i>"
        f"<b style='left:{at:.1f}%;background:{color}'></b></div></td></tr>"
    )


def _forms(entry: Entry) -> str:
    """Right answers in format and in any form, so that a rank by one does not hide the other."""
    told = [("in format", entry.exact_match), ("in any form", entry.flexible_match)]
    if any(value is None for _, value in told):
        return ""
    return "".join(f"<div class='mut small'>{value_words(value, 'share')} {name}</div>" for name, value in told)


def entry_words(entry: Entry) -> tuple[str, str]:
    """Name of a model, and where it comes from: `tiny-dial` and `r-0003 · train step 120 · tiny on dial`."""
    model = (entry.model or "a model whose run is missing").rstrip("/").rsplit("/", 1)[-1]
    trained = f" on {entry.dataset}" if entry.dataset else ""
    if entry.target == "base":
        runs = ", ".join(entry.runs[:3]) + (f" and {len(entry.runs) - 3} more" if len(entry.runs) > 3 else "")
        own = ", own prompt" if entry.setup.prompt == "own" else ""
        return model, f"base{own} · evaluated for {runs}"
    run = entry.runs[0]
    return entry.name or run, f"{run} · train step {whole(entry.train_step)} · {model}{trained}"


_COLUMNS = "place,evaluation,runs,target,train_step,model,dataset,{metric},low,high,rows,asked,notes"


def board_csv(board: Board, metric: str) -> str:
    """The board as CSV: shares as fractions, not percentages."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS.format(metric=metric).split(","))
    for place, e in enumerate(board.entries, 1):
        told = [place, e.eval_id, " ".join(e.runs), e.target, e.train_step, e.model, e.dataset, e.value, e.low, e.high]
        writer.writerow([*told, e.rows, asked_words(e.setup), "; ".join(e.notes)])
    return out.getvalue()
