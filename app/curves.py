"""Curves of a run, pure: records gathered as they are written, smoothed, thinned to what a chart can show."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_POINTS = 500


@dataclass(slots=True)
class Curves:
    """The metrics of one run read so far. `cursor` is where to go on reading."""

    train: list[Mapping[str, Any]] = field(default_factory=list)
    evals: list[Mapping[str, Any]] = field(default_factory=list)
    cursor: int = 0

    def extend(self, records: Iterable[Mapping[str, Any]], cursor: int) -> None:
        """Add what was read after `cursor`. A train step that a resume repeats counts as it was the second time."""
        if cursor < self.cursor:
            self.train.clear()
            self.evals.clear()
        self.cursor = cursor
        for record in records:
            target = self.train if record["kind"] == "train" else self.evals
            while target and target[-1]["train_step"] >= record["train_step"]:
                target.pop()
            target.append(record)

    def last(self, name: str) -> float | None:
        """The newest value of a train metric."""
        value = self.train[-1].get(name) if self.train else None
        return None if value is None else float(value)

    def last_eval_loss(self) -> float | None:
        return float(self.evals[-1]["loss"]) if self.evals else None

    def change(self, over: int = 50) -> float | None:
        """How far the mean train loss of the last `over` train steps stands from that of the `over` before them."""
        losses = [float(r["loss"]) for r in self.train[-2 * over :] if _finite(r.get("loss"))]
        if len(losses) < 2 * over:
            return None
        return statistics.fmean(losses[over:]) - statistics.fmean(losses[:over])

    def eval_change(self) -> float | None:
        if len(self.evals) < 2:
            return None
        return float(self.evals[-1]["loss"]) - float(self.evals[-2]["loss"])

    def seconds_left(self, total_train_steps: int) -> float | None:
        """From the pace of the last train steps, evaluations and saves among them counted in."""
        recent = self.train[-50:]
        if len(recent) < 3 or not total_train_steps:
            return None
        steps = int(recent[-1]["train_step"]) - int(recent[0]["train_step"])
        pace = (float(recent[-1]["time"]) - float(recent[0]["time"])) / max(1, steps)
        return max(0, total_train_steps - int(recent[-1]["train_step"])) * pace

    def series(self, name: str, skip: int = 0) -> tuple[list[int], list[float]]:
        """Train steps and values of a train metric; what is not a finite number is left out."""
        found = [(r["train_step"], r.get(name)) for r in self.train if r["train_step"] > skip]
        kept = [(int(x), float(y)) for x, y in found if y is not None and _finite(y)]
        return [x for x, _ in kept], [y for _, y in kept]

    def eval_series(self) -> tuple[list[int], list[float]]:
        kept = [(int(r["train_step"]), float(r["loss"])) for r in self.evals if _finite(r["loss"])]
        return [x for x, _ in kept], [y for _, y in kept]


def downsample(values: Sequence[float], limit: int = MAX_POINTS) -> list[int]:
    """Indices of at most `limit` points that keep the first, the last, and the lowest and highest of every bucket.

    A spike of one train step stays visible, which averaging or taking every n-th point would lose.
    """
    n = len(values)
    if n <= limit:
        return list(range(n))
    buckets = (limit - 2) // 2
    kept = {0, n - 1}
    for b in range(buckets):
        span = range(1 + b * (n - 2) // buckets, 1 + (b + 1) * (n - 2) // buckets)
        kept.add(min(span, key=values.__getitem__))
        kept.add(max(span, key=values.__getitem__))
    return sorted(kept)


def smooth(values: Sequence[float], factor: float) -> list[float]:
    """Exponential moving average without the pull towards zero at its start; `factor` 0 leaves the values."""
    if factor <= 0:
        return list(values)
    out: list[float] = []
    average, weight = 0.0, 0.0
    for value in values:
        average = factor * average + (1 - factor) * value
        weight = factor * weight + (1 - factor)
        out.append(average / weight)
    return out


def scale_of(values: Sequence[float]) -> int:
    """The power of ten to divide by, so that an axis shows plain numbers: -4 for 2e-4."""
    top = max((abs(v) for v in values), default=0.0)
    return math.floor(math.log10(top)) if top > 0 else 0


def superscript(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
