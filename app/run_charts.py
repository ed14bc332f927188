"""The live charts of a run: its loss, the loss by part, gradient, rate, speed and memory, over train steps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from app.blocks import BLUE, GRAY, PINK, RUST, TEAL
from app.charts import Axis, View, line, marks, show
from app.curves import Curves, downsample, scale_of, smooth, superscript
from app.words import decimals
from tunixrt_core.run_summary import part_rank

SHOWN_STEPS = 6  # steps of a trace with a curve of their own
_PART_POINTS = 200  # a curve: there are many of them in one chart
_STEP_COLORS = (TEAL, "#2E8BC0", BLUE, "#8A6BE8", PINK, "#E0709A")


def loss_chart(curves: Curves, end: int, view: View) -> None:
    """Train loss, raw and smoothed, and eval loss, with the checkpoints and the best evaluation marked."""
    steps, losses = curves.train.series("loss", view.first)
    picked = downsample(losses)
    average = smooth(losses, view.smoothing)
    series = []
    if view.smoothing > 0:
        series.append(line("Train, raw", steps, losses, picked, color=BLUE, width=1, opacity=0.3))
        series.append(line("Train, smoothed", steps, average, picked, color=BLUE))
    else:
        series.append(line("Train", steps, losses, picked, color=BLUE, width=1.5))
    eval_steps, eval_losses = curves.evals.series("loss", view.first)
    if eval_steps:
        kept = downsample(eval_losses)
        series.append(line("Eval", eval_steps, eval_losses, kept, color=RUST, symbol="diamond", points=True))
    best = curves.best()
    if best and best[0] >= view.first:
        series.append(marks("Best eval", [best[0]], [best[1]], color=RUST, symbol="diamond", size=14))
    if saved := _on_curve(sorted(curves.checkpoints), steps, average):
        series.append(marks("Checkpoint", *zip(*saved, strict=True), color=GRAY, symbol="triangle", size=9))
    words = f" The best eval loss is {best[1]:.3f}, at train step {best[0]:,}." if best else ""
    show(
        series,
        end,
        Axis("Cross-entropy (nats/token)", "%.3f", log_scale=view.log_scale),
        key="chart-loss",
        alt=f"Train loss {decimals(losses[-1] if losses else None)}, "
        f"eval loss {decimals(curves.evals.last('loss'))}.{words}",
        legend=True,
    )


def _on_curve(wanted: Sequence[int], steps: Sequence[int], values: Sequence[float]) -> list[tuple[int, float]]:
    """Points of a curve at train steps, where it has them."""
    found = ((step, bisect_right(steps, step) - 1) for step in wanted)
    return [(step, values[i]) for step, i in found if i >= 0 and steps[i] == step]


def parts_chart(curves: Curves, end: int, view: View, *, by_type: bool) -> None:
    """Smoothed train loss of each part of a completion, or of each step type."""
    names = sorted(curves.train.types) if by_type else shown_parts(curves)
    series, last = [], {}
    for i, name in enumerate(names):
        steps, losses = curves.train.losses(name, by_type=by_type, first=view.first)
        if not steps:
            continue
        average = smooth(losses, max(view.smoothing, 0.0))
        last[name] = average[-1]
        series.append(
            line(name.capitalize(), steps, average, downsample(average, _PART_POINTS), color=_color(name, i), width=1.5)
        )
    hardest = max(last, key=last.__getitem__, default=None)
    show(
        series,
        end,
        Axis("Train loss (nats/token)", "%.3f", log_scale=view.log_scale),
        key="chart-parts",
        alt=f"The loss is highest in {hardest}: {last[hardest]:.3f}." if hardest else "No losses by part yet.",
        legend=True,
    )


def shown_parts(curves: Curves) -> list[str]:
    """The parts with a curve: what is trained, the first steps of it, in the order of a completion."""
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
    ("Format valid", "format_valid", BLUE, "solid"),
    ("Repetition", "repetition", PINK, "dotted"),
    ("Cut at the limit", "hit_limit", RUST, "dotted"),
)


def reasoning_chart(curves: Curves, end: int) -> None:
    """What the model answered to the fixed prompts at each evaluation: shares, and the mean length at the right."""
    series, said = [], []
    for name, key, color, dash in _SHARES:
        steps, shares = curves.samples.series(key)
        if steps:
            percents = [100 * share for share in shares]
            kept = downsample(percents)
            series.append(line(name, steps, percents, kept, color=color, dash=dash, symbol="diamond", points=True))
            said.append(f"{name.lower()} {percents[-1]:.0f}%")
    steps, lengths = curves.samples.series("mean_tokens")
    kept = downsample(lengths)
    series.append(line("Mean length", steps, lengths, kept, color=GRAY, width=1.5, dash="dashed", points=True, axis=1))
    show(
        series,
        end,
        Axis("Share of the answers (%)", "%.0f", from_zero=True, top=100),
        key="chart-reasoning",
        alt=f"At train step {steps[-1]:,}: {', '.join(said)}, {lengths[-1]:.0f} tokens on average."
        if steps
        else "No answers yet.",
        second=Axis("Tokens of an answer", "%.0f", from_zero=True),
        legend=True,
    )


def learning_rate_chart(curves: Curves, end: int) -> None:
    """The rate as it was used, scaled so that the axis shows plain numbers."""
    steps, rates = curves.train.series("learning_rate")
    power = scale_of(rates)
    scaled = [value / 10**power for value in rates]
    unit = f" (×10{superscript(power)})" if power else ""
    show(
        [line("Learning rate", steps, scaled, downsample(scaled), color=BLUE)],
        end,
        Axis(f"Learning rate{unit}", "%.3f", from_zero=True),
        key="chart-rate",
        alt=f"The learning rate is {scaled[-1]:.3f}{unit}." if scaled else "No learning rate yet.",
    )


def gradient_chart(curves: Curves, end: int, view: View) -> None:
    steps, norms = curves.train.series("grad_norm", view.first)
    show(
        [line("Gradient norm", steps, norms, downsample(norms), color=BLUE, width=1.5)],
        end,
        Axis("L2 norm before clipping", "%.2f", log_scale=view.log_scale),
        key="chart-gradient",
        alt=f"The gradient norm is {norms[-1]:.2f}, at most {max(norms):.2f}." if norms else "No gradient norm yet.",
    )


def throughput_chart(curves: Curves, end: int) -> None:
    """Trained tokens a second, and at the right the share of the time that the device waited for rows."""
    steps, speeds = curves.train.series("tokens_per_second")
    series = [line("Tokens/s", steps, speeds, downsample(speeds), color=BLUE, width=1.5)]
    wait_steps, waits = _waiting(curves)
    if waits:
        kept = downsample(waits)
        series.append(line("Waiting for rows (%)", wait_steps, waits, kept, color=GRAY, width=1, dash="dashed", axis=1))
    show(
        series,
        end,
        Axis("Trained tokens/s", "localized", from_zero=True),
        key="chart-throughput",
        alt=f"{speeds[-1]:,.0f} trained tokens per second." if speeds else "No throughput yet.",
        second=Axis("Waiting for rows (%)", "%.1f", from_zero=True) if waits else None,
        legend=bool(waits),
    )


def _waiting(curves: Curves) -> tuple[list[int], list[float]]:
    steps, waited = curves.train.series("input_wait_seconds")
    took = dict(zip(*curves.train.series("step_seconds"), strict=True))
    pairs = [
        (step, round(100 * seconds / took[step], 2))
        for step, seconds in zip(steps, waited, strict=True)
        if took.get(step)
    ]
    return [step for step, _ in pairs], [share for _, share in pairs]


def memory_chart(curves: Curves, end: int) -> None:
    """Memory in use and at most in use: of the device, or of the process where that is a CPU."""
    series, said = [], []
    for name, key, dash, color in (
        ("In use", "memory_bytes", "solid", BLUE),
        ("Peak", "peak_memory_bytes", "dashed", RUST),
    ):
        steps, counts = curves.train.series(key)
        if steps:
            sizes = [count / 1e9 for count in counts]
            series.append(line(name, steps, sizes, downsample(sizes), color=color, width=1.5, dash=dash))
            said.append(f"{name.lower()} {sizes[-1]:.2f} GB")
    show(
        series,
        end,
        Axis("Memory (GB)", "%.2f", from_zero=True),
        key="chart-memory",
        alt=f"Memory: {', '.join(said)}." if said else "Memory was not measured.",
        legend=True,
    )
