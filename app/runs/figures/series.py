"""Curves of runs for the charts of the dashboard, thinned or from a point on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from app.runs.figures.beginning import beginning
from app.runs.figures.kept import curves_of, generation_of, state_of
from app.runs.figures.tiles import tiles_of
from app.ui.charts.columns import Columns
from app.ui.charts.curves import SAMPLE_METRICS, TRAIN_METRICS, Curves, downsample, significant, smooth_at
from app.ui.words import compile_words, progress_line
from tunixrt_core.evaluation.reports.run_summary import part_rank
from tunixrt_core.runs.record import Run, RunState

Along = Literal["step", "tokens", "time"]
SHOWN_STEPS = 6  # steps of a trace with a curve of their own
SMOOTHED = "~"  # after the name of a curve: its exponential moving average
_DIGITS = 5  # significant ones of a value
_EVALS = {"eval_loss": "loss", "eval_perplexity": "perplexity"}
_ALONG: Mapping[Along, Callable[[Columns], Any]] = {
    "step": lambda train: train.steps.astype(float),
    "tokens": lambda train: np.nan_to_num(train.values("trained_tokens")).cumsum(),
    "time": lambda train: train.values("time"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a chart shows: metrics by name, the axis and its ends, points per curve, factor of smoothed losses."""

    metrics: tuple[str, ...]
    x: Along = "step"
    points: int = 500
    smoothing: float = 0.0
    first: float | None = None
    last: float | None = None
    tiles: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """How many records of each kind the reader has."""

    train: int = 0
    evals: int = 0
    samples: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True)
class _Raw:
    """A curve before it is thinned, of the records that a reader has not seen."""

    name: str
    steps: Any
    values: Any
    begin: int
    smoothing: float = 0.0


def split_next(text: str) -> tuple[str, str]:
    """The run of a `next`, and what is known of it."""
    run_id, _, known = text.partition(":")
    return run_id, known


def series_of(run: Run, known: str, wanted: Wanted) -> dict[str, Any]:
    """The curves of a run; those after `known`, the rest of an earlier answer's `next`, if they continue it."""
    state = state_of(run)
    curves = curves_of(run, state)
    generation, events = generation_of(state), curves.events
    now = _Seen(len(curves.train), len(curves.evals), len(curves.samples), len(events))
    seen = _seen(known, generation, now)
    position = _position(curves, wanted.x)
    told: dict[str, Any] = {
        "id": run.id,
        "status": state.status.value,
        "over": state.status.over,
        "whole": seen is None,
        "next": f"{run.id}:{generation}:{now.train}:{now.evals}:{now.samples}:{now.events}",
        "train_step": state.train_step,
        "total_train_steps": state.total_train_steps,
        "curves": {},
        "events": [
            {"s": event.train_step, "x": position(event.train_step), "kind": event.kind, "words": event.words}
            for event in events[seen.events if seen else 0 : now.events]
        ],
    }
    for raw in _raw(curves, wanted, seen or _Seen()):
        if (points := _thinned(raw, wanted, position)) is not None:
            told["curves"][raw.name] = points
    return told | (_numbers(run, curves, state) if wanted.tiles else {})


def _seen(known: str, generation: str, now: _Seen) -> _Seen | None:
    """What the reader has; None if it has to begin again: at first, and after a resume has rewritten records."""
    found, *counts = known.split(":")
    if found != generation or len(counts) != 4 or not all(count.isdigit() for count in counts):
        return None
    seen = _Seen(*map(int, counts))
    grown = seen.train <= now.train and seen.evals <= now.evals and seen.samples <= now.samples
    return seen if grown and seen.events <= now.events else None


def _position(curves: Curves, along: Along) -> Callable[[int], float]:
    """Where a train step is on the axis: at its train record, or the one before."""
    steps, xs = curves.train.steps, _ALONG[along](curves.train)

    def position(step: int) -> float:
        if along == "step":
            return float(step)
        place = int(np.searchsorted(steps[: len(xs)], step, side="right")) - 1
        return 0.0 if place < 0 or not np.isfinite(xs[place]) else float(xs[place])

    return position


def _raw(curves: Curves, wanted: Wanted, seen: _Seen) -> Iterator[_Raw]:
    train, steps = curves.train, curves.train.steps
    for name in wanted.metrics:
        if name in TRAIN_METRICS:
            values = train.values(name)[: len(steps)]
            yield _Raw(name, steps, values, seen.train)
            if name == "loss" and wanted.smoothing:
                yield _Raw(name + SMOOTHED, steps, values, seen.train, wanted.smoothing)
        elif name == "waiting":
            yield _Raw(name, steps, _waiting(train, len(steps)), seen.train)
        elif name in _EVALS:
            yield _Raw(name, curves.evals.steps, curves.evals.values(_EVALS[name]), seen.evals)
        elif name == "samples":
            for each in SAMPLE_METRICS:
                yield _Raw(f"samples.{each}", curves.samples.steps, curves.samples.values(each), seen.samples)
        elif name in ("parts", "types"):
            names = shown_parts(train.parts) if name == "parts" else sorted(train.types)
            _, columns = train.losses(names, by_type=name == "types")
            for each, values in zip(names, columns, strict=True):
                yield _Raw(f"{name}.{each}", steps, values[: len(steps)], seen.train, wanted.smoothing)


def _waiting(train: Columns, count: int) -> Any:
    """The share of each train step, in percent, that the device waited for rows."""
    waited, took = (train.values(name)[:count] for name in ("input_wait_seconds", "step_seconds"))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(took > 0, 100 * waited / took, np.nan)


def shown_parts(parts: list[str]) -> list[str]:
    """The parts with a curve: trained ones, with the first steps only, in the order of a completion."""
    names = sorted(parts, key=part_rank)
    steps = [name for name in names if name.startswith("step ")]
    return [name for name in names if name != "prompt" and name not in steps[SHOWN_STEPS:]]


def _thinned(raw: _Raw, wanted: Wanted, position: Callable[[int], float]) -> dict[str, Any] | None:
    """At most `points` points between the ends of the axis, the extremes of every stretch among them."""
    places = raw.begin + np.flatnonzero(np.isfinite(raw.values[raw.begin :]))
    xs = None
    if wanted.x != "step" or wanted.first is not None or wanted.last is not None:
        xs = np.array([position(step) for step in raw.steps[places].tolist()])
        inside = np.full(len(xs), True)
        if wanted.first is not None:
            inside &= xs >= wanted.first
        if wanted.last is not None:
            inside &= xs <= wanted.last
        places, xs = places[inside], xs[inside]
    if not len(places):
        return None
    values = smooth_at(raw.values, places, raw.smoothing)
    picked = downsample(values, wanted.points)
    told: dict[str, Any] = {
        "s": raw.steps[places[picked]].tolist(),
        "y": [value if value == value else None for value in significant(values[picked], _DIGITS)],
    }
    if xs is not None and wanted.x != "step":
        told["x"] = [round(value, 3) for value in xs[picked].tolist()]
    return told


def _numbers(run: Run, curves: Curves, state: RunState) -> dict[str, Any]:
    left = curves.seconds_left(state.total_train_steps)
    lengths = compile_words(state.plan.get("row_lengths") or (), [length for _, length in curves.compiled])
    line, share = progress_line(state, time.time(), left, lengths), round(min(1.0, state.share_done), 4)
    if (begun := beginning(run, state)) is not None:
        line, share = begun.line or line, begun.share or share
    return {
        "tiles": [[tile.value, tile.change_words, tile.note] for tile in tiles_of(curves)],
        "line": line,
        "share": share,
        "beginning": begun.to_list() if begun else None,
    }
