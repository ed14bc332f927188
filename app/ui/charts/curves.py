"""Curves of a run: collected, smoothed and thinned."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from app.ui.charts.columns import Columns, Row
from tunixrt_core.runs.metrics import (
    Alert,
    ChangeMetric,
    CheckpointMetric,
    CompileMetric,
    EvalMetric,
    Metric,
    SamplesMetric,
    TrainMetric,
)

MAX_POINTS = 500
_FORGOTTEN = 1e-6  # the weight below which a value no longer counts in an average

# train values in charts and tiles; arrays take 48 bytes per record, dictionaries ten times that
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
SAMPLE_METRICS = ("exact_match", "flexible_match", "format_valid", "mean_tokens", "repetition", "hit_limit", "rows")


EventKind = Literal["checkpoint", "best", "alert", "change", "resume"]


class Event(NamedTuple):
    """A mark on the axis of train steps."""

    train_step: int
    kind: EventKind
    words: str


class Curves:
    """The metrics of one run read so far. `cursor` is where to continue reading.

    All sessions that show the run share it; the reader holds `lock`.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.cursor = 0
        self._clear()

    def _clear(self) -> None:
        self.train = Columns(TRAIN_METRICS)
        self.evals = Columns(EVAL_METRICS)
        self.samples = Columns(SAMPLE_METRICS)
        self.checkpoints: dict[int, str] = {}  # train step -> reason: cadence, best, asked or end
        self.changes: dict[int, str] = {}  # train steps done before -> what changed on a resume
        self.compiled: list[tuple[int, int]] = []  # train steps done before, row length
        self.alerts: list[Alert] = []
        self.events: list[Event] = []

    def extend(self, records: Iterable[Metric], cursor: int) -> None:
        """Add the records read after `cursor`."""
        if cursor < self.cursor:  # the file was cut, and read from its beginning
            self._clear()
        self.cursor = cursor
        of: defaultdict[type, list[Any]] = defaultdict(list)
        for record in records:
            of[type(record)].append(record)
            if event := self._event(record):
                self.events.append(event)
            if isinstance(record, CompileMetric):
                self.compiled.append((record.train_step, record.length))
        self.train = _extended(self.train, of[TrainMetric])
        self.evals = _extended(self.evals, of[EvalMetric])
        self.samples = _extended(self.samples, of[SamplesMetric])
        self.checkpoints |= {saved.train_step: saved.reason for saved in of[CheckpointMetric]}
        self.changes |= {one.train_step: one.words for one in of[ChangeMetric]}
        self.alerts += of[Alert]

    def _event(self, record: Metric) -> Event | None:
        if isinstance(record, CheckpointMetric):
            kind: EventKind = "best" if record.reason == "best" else "checkpoint"
            return Event(record.train_step, kind, f"Checkpoint ({record.reason})" if record.reason else "Checkpoint")
        if isinstance(record, ChangeMetric):
            return Event(record.train_step, "change", f"Resumed with {record.words}")
        if isinstance(record, Alert):
            name = record.alert.replace("_", " ").capitalize()
            return Event(record.train_step, "alert", f"{name}: {record.evidence}")
        if isinstance(record, CompileMetric) and record.expected and any(n == record.length for _, n in self.compiled):
            return Event(record.train_step, "resume", "Resumed")  # a new process compiles what another has compiled
        return None

    def best(self) -> tuple[int, float] | None:
        """Train step and loss of the lowest evaluation, the first of equal ones."""
        steps, losses = self.evals.series("loss")
        if not len(losses):
            return None
        lowest = int(losses.argmin())
        return int(steps[lowest]), float(losses[lowest])

    def waiting_share(self, over: int = 50) -> float | None:
        """Share of time in the last train steps that the device waited for rows."""
        waited, took = (self.train.values(name)[-over:] for name in ("input_wait_seconds", "step_seconds"))
        known = np.isfinite(waited) & (took > 0)
        return float(waited[known].sum() / took[known].sum()) if known.any() else None

    def change(self, over: int = 50) -> float | None:
        """Mean train loss of the last `over` train steps minus that of the `over` before them."""
        losses = self.train.values("loss")[-2 * over :]
        losses = losses[np.isfinite(losses)]
        if len(losses) < 2 * over:
            return None
        return float(losses[over:].mean() - losses[:over].mean())

    def eval_change(self) -> float | None:
        losses = self.evals.values("loss")
        return float(losses[-1] - losses[-2]) if len(losses) > 1 else None

    def seconds_left(self, total_train_steps: int) -> float | None:
        """Estimated from the pace of the last train steps, including evaluations and saves."""
        steps, times = self.train.steps[-50:], self.train.values("time")[-50:]
        if len(steps) < 3 or not total_train_steps:
            return None
        pace = float(times[-1] - times[0]) / int(steps[-1] - steps[0])
        return max(0, total_train_steps - int(steps[-1])) * pace


def _extended(columns: Columns, records: Sequence[Row]) -> Columns:
    """The columns with records added.

    Existing records of the same or a later train step are void: a resume has repeated them. The columns without
    them are new objects, as a chart may be drawing the old ones.
    """
    for ascending in _ascending(records):
        first = ascending[0].train_step
        if len(columns) and columns.steps[-1] >= first:
            columns = columns.before(first)
        columns.add(ascending)
    return columns


def _ascending(records: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The records cut where a train step is not later than the one before it."""
    steps = [record.train_step for record in records]
    cuts = [0, *(i for i in range(1, len(steps)) if steps[i] <= steps[i - 1]), len(steps)]
    yield from (records[i:j] for i, j in pairwise(cuts) if i < j)


def downsample(values: Any, limit: int = MAX_POINTS) -> Any:
    """Indices of at most `limit` points that keep the first, the last, and the lowest and highest of every bucket.

    A spike of one train step stays visible, which averaging or taking every n-th point would lose.
    """
    numbers = np.asarray(values, np.float64)
    n = len(numbers)
    if n <= limit:
        return np.arange(n)
    size = -(-n // max(1, limit // 2 - 1))  # a bucket
    whole = n // size * size
    buckets = numbers[:whole].reshape(-1, size)
    starts = np.arange(0, whole, size)
    kept = [starts + buckets.argmin(1), starts + buckets.argmax(1), [0, n - 1]]
    if whole < n:
        kept.append([whole + numbers[whole:].argmin(), whole + numbers[whole:].argmax()])
    return np.unique(np.concatenate(kept))


def smooth(values: Any, factor: float) -> Any:
    """Exponential moving average with bias correction at its start. Gaps stay gaps.

    `factor` 0 leaves the values unchanged.
    """
    if factor <= 0:
        return np.asarray(values, np.float64)
    given = pd.Series(values, dtype="float64")
    return given.ewm(alpha=1 - factor, adjust=True).mean().where(given.notna()).to_numpy()


def smooth_at(values: Any, places: Any, factor: float) -> Any:
    """`smooth` at some indices only: a chart shows few points of a long curve, and old values lose their weight."""
    numbers, places = np.asarray(values, np.float64), np.asarray(places)
    if factor <= 0 or not len(places):
        return numbers[places]
    back = np.arange(min(len(numbers), math.ceil(math.log(_FORGOTTEN) / math.log(factor))))
    at = places[:, None] - back
    before = np.where(at >= 0, numbers[at], np.nan)
    weights = np.where(np.isnan(before), 0.0, factor**back)
    with np.errstate(invalid="ignore"):
        averages = np.nansum(before * weights, axis=1) / weights.sum(axis=1)
    return np.where(np.isnan(numbers[places]), np.nan, averages)


def significant(values: Any, digits: int = 4) -> list[float]:
    """Rounded to `digits` significant digits, for fewer bytes."""
    numbers = np.asarray(values, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.where(numbers == 0, 0, digits - 1 - np.floor(np.log10(np.abs(numbers))))
    up, down = 10.0 ** np.maximum(power, 0), 10.0 ** np.maximum(-power, 0)
    rounded: list[float] = (np.round(numbers * up / down) * down / up).tolist()
    return rounded


def scale_of(values: Any) -> int:
    """The power of ten to divide by, so that an axis shows plain numbers: -4 for 2e-4."""
    top = float(np.abs(values).max()) if len(values) else 0.0
    return math.floor(math.log10(top)) if top > 0 else 0


def superscript(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
