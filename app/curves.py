"""Curves of a run, pure: records gathered as they are written, smoothed, thinned to what a chart can show."""

from __future__ import annotations

import math
import statistics
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

MAX_POINTS = 500


# what a chart or a tile shows of a train step; arrays of them take 48 bytes a record, dictionaries ten times that
TRAIN_METRICS = (
    "loss",
    "perplexity",
    "learning_rate",
    "grad_norm",
    "trained_tokens",
    "padding_share",
    "tokens_per_second",
    "step_seconds",
    "input_wait_seconds",
    "memory_bytes",
    "peak_memory_bytes",
    "mfu",
    "time",
)
EVAL_METRICS = ("loss", "perplexity", "time")
SAMPLE_METRICS = ("exact_match", "format_valid", "mean_tokens", "repetition", "hit_limit", "rows")
MAX_PARTS = 24  # parts, and step types, of which the losses are kept


class Columns:
    """Records of one kind as columns over train steps. What a record lacks is NaN.

    `parts` and `types` hold the losses by part and by step type, the first MAX_PARTS that occur.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.steps = array("q")
        self.values = {name: array("d") for name in names}
        self.parts: dict[str, array[float]] = {}
        self.types: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return len(self.steps)

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a record. Those of the same train step or a later one are void: a resume has repeated them."""
        step = int(record["train_step"])
        while self.steps and self.steps[-1] >= step:
            self.steps.pop()
            for column in self._columns():
                column.pop()
        for name, column in self.values.items():
            column.append(_number(record.get(name)))
        for group, losses in (("parts", self.parts), ("types", self.types)):
            self._add_losses(losses, record.get(group) or {})
        self.steps.append(step)

    def _add_losses(self, columns: dict[str, array[float]], losses: Mapping[str, Any]) -> None:
        for name in losses:
            if name not in columns and len(columns) < MAX_PARTS:
                columns[name] = array("d", [math.nan]) * len(self.steps)
        for name, column in columns.items():
            column.append(_number(losses.get(name)))

    def _columns(self) -> Iterator[array[float]]:
        for group in (self.values, self.parts, self.types):
            yield from group.values()

    def last(self, name: str) -> float | None:
        """The newest value, None where there is none."""
        value = self.values[name][-1] if self.steps else math.nan
        return None if math.isnan(value) else value

    def series(self, name: str, first: int = 0) -> tuple[list[int], list[float]]:
        """Train steps and values from train step `first` on; only finite numbers."""
        return self._finite(self.values[name], first)

    def losses(self, name: str, *, by_type: bool = False, first: int = 0) -> tuple[list[int], list[float]]:
        """As `series`, of the loss of one part, or of one step type."""
        return self._finite((self.types if by_type else self.parts)[name], first)

    def _finite(self, column: array[float], first: int) -> tuple[list[int], list[float]]:
        # a chart draws this of a whole run at every look, so it has to be quick: 50,000 train steps take milliseconds
        start = bisect_left(self.steps, first)
        steps, values = self.steps[start:].tolist(), column[start:].tolist()
        if all(map(math.isfinite, values)):
            return steps, values
        kept = [pair for pair in zip(steps, values, strict=True) if math.isfinite(pair[1])]
        return [step for step, _ in kept], [value for _, value in kept]


class Curves:
    """The metrics of one run read so far. `cursor` is where to go on reading."""

    def __init__(self) -> None:
        self.cursor = 0
        self._clear()

    def _clear(self) -> None:
        self.train = Columns(TRAIN_METRICS)
        self.evals = Columns(EVAL_METRICS)
        self.samples = Columns(SAMPLE_METRICS)
        self.checkpoints: dict[int, str] = {}  # train step -> why it was saved: cadence, best, asked or end
        self.compiled: list[tuple[int, int]] = []  # train steps done before, row length
        self.alerts: list[dict[str, Any]] = []

    def extend(self, records: Iterable[Mapping[str, Any]], cursor: int) -> None:
        """Add what was read after `cursor`."""
        if cursor < self.cursor:  # the file was cut, and read from its beginning
            self._clear()
        self.cursor = cursor
        for record in records:
            self._add(record)

    def _add(self, record: Mapping[str, Any]) -> None:
        kind = record["kind"]
        if kind == "train":
            self.train.add(record)
        elif kind == "eval":
            self.evals.add(record)
        elif kind == "samples":
            self.samples.add(record)
        elif kind == "checkpoint":
            self.checkpoints[int(record["train_step"])] = str(record["reason"])
        elif kind == "compile":
            self.compiled.append((int(record["train_step"]), int(record["length"])))
        elif kind == "alert":
            self.alerts.append(dict(record))

    def best(self) -> tuple[int, float] | None:
        """Train step and loss of the lowest evaluation, the first of equal ones."""
        steps, losses = self.evals.series("loss")
        return min(zip(steps, losses, strict=True), key=lambda pair: pair[1], default=None)

    def waiting_share(self, over: int = 50) -> float | None:
        """Share of the time of the last train steps that the device waited for rows."""
        pairs = zip(*(self.train.values[n][-over:] for n in ("input_wait_seconds", "step_seconds")), strict=True)
        known = [(waited, took) for waited, took in pairs if math.isfinite(waited) and took > 0]
        return sum(waited for waited, _ in known) / sum(took for _, took in known) if known else None

    def change(self, over: int = 50) -> float | None:
        """How far the mean train loss of the last `over` train steps stands from that of the `over` before them."""
        losses = [value for value in self.train.values["loss"][-2 * over :] if math.isfinite(value)]
        if len(losses) < 2 * over:
            return None
        return statistics.fmean(losses[over:]) - statistics.fmean(losses[:over])

    def eval_change(self) -> float | None:
        losses = self.evals.values["loss"]
        return losses[-1] - losses[-2] if len(losses) > 1 else None

    def seconds_left(self, total_train_steps: int) -> float | None:
        """From the pace of the last train steps, evaluations and saves among them counted in."""
        steps, times = self.train.steps[-50:], self.train.values["time"][-50:]
        if len(steps) < 3 or not total_train_steps:
            return None
        pace = (times[-1] - times[0]) / (steps[-1] - steps[0])
        return max(0, total_train_steps - steps[-1]) * pace


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def downsample(values: Sequence[float], limit: int = MAX_POINTS) -> list[int]:
    """Indices of at most `limit` points that keep the first, the last, and the lowest and highest of every bucket.

    A spike of one train step stays visible, which averaging or taking every n-th point would lose.
    """
    n = len(values)
    if n <= limit:
        return list(range(n))
    buckets = (limit - 2) // 2
    kept = {0, n - 1}
    numbers = np.asarray(values, np.float64)
    for b in range(buckets):
        start, stop = 1 + b * (n - 2) // buckets, 1 + (b + 1) * (n - 2) // buckets
        kept.add(start + int(numbers[start:stop].argmin()))
        kept.add(start + int(numbers[start:stop].argmax()))
    return sorted(kept)


def smooth(values: Sequence[float], factor: float) -> list[float]:
    """Exponential moving average without the pull towards zero at its start; `factor` 0 leaves the values."""
    if factor <= 0:
        return list(values)
    smoothed: list[float] = pd.Series(values, dtype="float64").ewm(alpha=1 - factor, adjust=True).mean().tolist()
    return smoothed


def scale_of(values: Sequence[float]) -> int:
    """The power of ten to divide by, so that an axis shows plain numbers: -4 for 2e-4."""
    top = max((abs(v) for v in values), default=0.0)
    return math.floor(math.log10(top)) if top > 0 else 0


def superscript(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
