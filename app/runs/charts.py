"""Charts of a run over train steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from app.ui.blocks import BLUE, GRAY, PINK, RUST, TEAL
from app.ui.charts.charts import Axis, Chart, Line, Marks, View
from app.ui.charts.curves import Curves, scale_of, smooth_at, superscript
from app.ui.words import decimals
from tunixrt_core.evaluation.run_summary import part_rank

SHOWN_STEPS = 6  # steps of a trace with a curve of their own
_STEP_COLORS = (TEAL, "#2E8BC0", BLUE, "#8A6BE8", PINK, "#E0709A")


def loss_chart(curves: Curves, end: int, view: View) -> Chart:
    """Train loss, raw and smoothed, and eval loss, with the checkpoints and the best evaluation marked."""
    # smoothed from the beginning, so that zooming shows the same curve
    steps, losses = curves.train.series("loss", view.first, view.last)
    lines = [Line("Train", losses, BLUE, width=1.5)]
    if view.smoothing > 0:
        lines = [
            Line("Train, raw", losses, BLUE, width=1, opacity=0.3),
            Line("Train, smoothed", losses, BLUE, view.smoothing),
        ]
    marks = []
    eval_steps, eval_losses = curves.evals.series("loss", view.begin, view.last)
    if len(eval_steps):
        marks.append(Marks("Eval", eval_steps, eval_losses, RUST))
    best = curves.best()
    if best and view.begin <= best[0] <= (view.last or best[0]):
        marks.append(Marks("Best eval", [best[0]], [best[1]], RUST, size=14, joined=False))
    saved, places = _found(steps, curves.checkpoints, view.begin)
    if len(saved):
        on_curve = smooth_at(losses, places, view.smoothing)
        marks.append(Marks("Checkpoint", saved, on_curve, GRAY, symbol="triangle", size=9, joined=False))
    changed, places = _found(steps, curves.changes, view.begin)
    if len(changed):
        on_curve = smooth_at(losses, places, view.smoothing)
        marks.append(Marks("Manifest changed", changed, on_curve, PINK, symbol="pin", size=14, joined=False))
    words = f" The best eval loss is {best[1]:.3f}, at train step {best[0]:,}." if best else ""
    return Chart(
        "chart-loss",
        f"Train loss {decimals(curves.train.last('loss'))}, eval loss {decimals(curves.evals.last('loss'))}.{words}",
        view.span(end),
        Axis("Cross-entropy (nats/token)", "%.3f", log_scale=view.log_scale),
        steps,
        lines,
        marks,
        legend=True,
        hidden=int(np.searchsorted(steps, view.begin)),
    )


def _found(steps: Any, wanted: Iterable[int], first: int) -> tuple[Any, Any]:
    """The train steps from `first` on that a curve has, and their indices in it."""
    sought = np.array(sorted(step for step in wanted if step >= first), np.int64)
    places = np.searchsorted(steps, sought)
    there = places < len(steps)
    there[there] = steps[places[there]] == sought[there]
    return sought[there], places[there]


def parts_chart(curves: Curves, end: int, view: View, *, by_type: bool) -> Chart:
    """Smoothed train loss of each part of a completion, or of each step type."""
    names = sorted(curves.train.types) if by_type else shown_parts(curves)
    steps, columns = curves.train.losses(names, by_type=by_type, first=view.first, last=view.last)
    known = {name: losses for name, losses in zip(names, columns, strict=True) if np.isfinite(losses).any()}
    ends = {name: np.flatnonzero(np.isfinite(losses))[-1:] for name, losses in known.items()}
    last = {name: float(smooth_at(losses, ends[name], view.smoothing)[0]) for name, losses in known.items()}
    hardest = max(last, key=last.__getitem__, default=None)
    return Chart(
        "chart-parts",
        f"The loss is highest in {hardest}: {last[hardest]:.3f}." if hardest else "No losses by part yet.",
        view.span(end),
        Axis("Train loss (nats/token)", "%.3f", log_scale=view.log_scale),
        steps if known else (),
        [
            Line(name.capitalize(), losses, _color(name, i), view.smoothing, width=1.5)
            for i, (name, losses) in enumerate(known.items())
        ],
        legend=True,
        deciding=_together(list(known.values())),
        hidden=int(np.searchsorted(steps, view.begin)),
    )


def _together(columns: list[Any]) -> Any:
    """Several curves as one, each relative to its own mean: a spike in any of them is a spike here."""
    return sum((np.nan_to_num(each / np.nanmean(np.abs(each)), nan=1.0) for each in columns), np.zeros(1))


def shown_parts(curves: Curves) -> list[str]:
    """The parts with a curve: trained ones, with the first steps only, in the order of a completion."""
    names = sorted(curves.train.parts, key=part_rank)
    steps = [name for name in names if name.startswith("step ")]
    return [name for name in names if name != "prompt" and name not in steps[SHOWN_STEPS:]]


def _color(name: str, place: int) -> str:
    if name in ("format", "answer"):
        return GRAY if name == "format" else RUST
    number = name.partition(" ")[2]
    return _STEP_COLORS[(int(number) - 1 if number.isdigit() else place) % len(_STEP_COLORS)]


_SHARES = (
    ("Exact match", "exact_match", TEAL, "solid"),
    ("Right in any form", "flexible_match", TEAL, "dotted"),
    ("Format valid", "format_valid", BLUE, "solid"),
    ("Repetition", "repetition", PINK, "dotted"),
    ("Cut at the limit", "hit_limit", RUST, "dotted"),
)


def reasoning_chart(curves: Curves, end: int, view: View) -> Chart:
    """Results on the fixed prompts at each evaluation: shares, and the mean length on the right axis."""
    marks, said = [], []
    for name, key, color, dash in _SHARES:
        steps, shares = curves.samples.series(key, view.left, view.last)
        if len(steps):
            marks.append(Marks(name, steps, 100 * shares, color, dash=dash))
            said.append(f"{name.lower()} {100 * shares[-1]:.0f}%")
    steps, lengths = curves.samples.series("mean_tokens", view.left, view.last)
    marks.append(Marks("Mean length", steps, lengths, GRAY, symbol="circle", dash="dashed", axis=1))
    return Chart(
        "chart-reasoning",
        f"At train step {steps[-1]:,}: {', '.join(said)}, {lengths[-1]:.0f} tokens on average."
        if len(steps)
        else "No answers yet.",
        view.span(end),
        Axis("Share of the answers (%)", "%.0f", from_zero=True, top=100),
        marks=marks,
        second=Axis("Tokens per answer", "%.0f", from_zero=True),
        legend=True,
    )


def learning_rate_chart(curves: Curves, end: int, view: View) -> Chart:
    """The learning rate, scaled so that the axis shows plain numbers."""
    steps, rates = curves.train.series("learning_rate", view.left, view.last)
    power = scale_of(rates)
    scaled = rates / 10.0**power
    unit = f" (×10{superscript(power)})" if power else ""
    return Chart(
        "chart-rate",
        f"The learning rate is {scaled[-1]:.3f}{unit}." if len(scaled) else "No learning rate yet.",
        view.span(end),
        Axis(f"Learning rate{unit}", "%.3f", from_zero=True),
        steps,
        [Line("Learning rate", scaled, BLUE)],
    )


def gradient_chart(curves: Curves, end: int, view: View) -> Chart:
    """The gradient norm before clipping."""
    steps, norms = curves.train.series("grad_norm", view.begin, view.last)
    return Chart(
        "chart-gradient",
        f"The gradient norm is {norms[-1]:.2f}, maximum {norms.max():.2f}." if len(norms) else "No gradient norm yet.",
        view.span(end),
        Axis("L2 norm before clipping", "%.2f", log_scale=view.log_scale),
        steps,
        [Line("Gradient norm", norms, BLUE, width=1.5)],
    )


def throughput_chart(curves: Curves, end: int, view: View) -> Chart:
    """Trained tokens per second, and on the right axis the share of time that the device waited for rows."""
    names = ("tokens_per_second", "input_wait_seconds", "step_seconds")
    steps, (speeds, waited, took) = curves.train.table(names, view.left, view.last)
    with np.errstate(divide="ignore", invalid="ignore"):
        waits = np.where(took > 0, 100 * waited / took, np.nan)
    waits_known = bool(np.isfinite(waits).any())
    lines = [Line("Tokens/s", speeds, BLUE, width=1.5)]
    if waits_known:
        lines.append(Line("Waiting for rows (%)", waits, GRAY, width=1, dash="dashed", axis=1))
    speed = curves.train.last("tokens_per_second")
    return Chart(
        "chart-throughput",
        f"{speed:,.0f} trained tokens per second." if speed is not None else "No throughput yet.",
        view.span(end),
        Axis("Trained tokens/s", "localized", from_zero=True),
        steps,
        lines,
        second=Axis("Waiting for rows (%)", "%.1f", from_zero=True) if waits_known else None,
        legend=waits_known,
    )


def memory_chart(curves: Curves, end: int, view: View) -> Chart:
    """Memory in use and its peak: of the device, or of the process on a CPU."""
    steps, counts = curves.train.table(("memory_bytes", "peak_memory_bytes"), view.left, view.last)
    lines, said = [], []
    looks = (("In use", "solid", BLUE), ("Peak", "dashed", RUST))
    for (name, dash, color), column in zip(looks, counts, strict=True):
        known = column[np.isfinite(column)]
        if len(known):
            lines.append(Line(name, column / 1e9, color, width=1.5, dash=dash))
            said.append(f"{name.lower()} {known[-1] / 1e9:.2f} GB")
    return Chart(
        "chart-memory",
        f"Memory: {', '.join(said)}." if said else "Memory was not measured.",
        view.span(end),
        Axis("Memory (GB)", "%.2f", from_zero=True),
        steps if lines else (),
        lines,
        legend=True,
    )
