"""Summary of a run from its folder: losses, time, tokens, answers."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tunixrt_core.evaluation.results.pairs import latest_results
from tunixrt_core.runs.evaluation_record import Side
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import Alert, CheckpointMetric, EvalMetric, Losses, Metric, TrainMetric
from tunixrt_core.runs.record import RunStatus

_Kind = TypeVar("_Kind", bound=Metric)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The figures of one run. None means not measured; losses are nats per token."""

    status: RunStatus
    message: str
    train_step: int
    total_train_steps: int
    seconds: float | None
    train_loss: float | None
    eval_loss: float | None
    best_eval_loss: float | None
    best_train_step: int | None
    trained_tokens: int | None  # so far, over all train steps
    tokens_per_second: float | None  # median
    step_seconds: float | None  # median
    padding_share: float | None  # mean
    input_wait_share: float | None
    peak_memory_bytes: int | None
    checkpoints: int  # saved, over the whole run
    alerts: int
    parts: Mapping[str, float | None] = field(
        default_factory=dict
    )  # of the last evaluation, or else train step; in order
    exact_match: Mapping[str, float] = field(default_factory=dict)  # by target: base, tuned
    flexible_match: Mapping[Side, float] = field(default_factory=dict)  # right in any form: base, base_own, tuned
    exact_match_of: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by target: low, high, rows

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def summarise(folder: RunDir) -> RunSummary:
    """Read a run's folder. Raises NotFound where there is no run in it."""
    state = folder.state()
    records = folder.metrics()[0]
    train = _of(TrainMetric, records)
    evals = [(record.loss, record) for record in _of(EvalMetric, records) if record.loss is not None]
    answered = {side: told for side, told in latest_results(folder.evals).items() if told.get("rows")}
    in_format = {side: told for side, told in answered.items() if side != "base_own"}  # it was not asked for the format
    best_loss, best = min(evals, key=lambda each: each[0], default=(None, None))
    tokens, seconds, waited = (_values(train, n) for n in ("trained_tokens", "step_seconds", "input_wait_seconds"))
    return RunSummary(
        status=state.status,
        message=state.message,
        train_step=state.train_step,
        total_train_steps=state.total_train_steps,
        seconds=records[-1].time if records else None,
        train_loss=train[-1].loss if train else None,
        eval_loss=evals[-1][0] if evals else None,
        best_eval_loss=best_loss,
        best_train_step=best.train_step if best else None,
        trained_tokens=int(sum(tokens)) if tokens else None,
        tokens_per_second=_median(_values(train, "tokens_per_second")),
        step_seconds=_median(seconds),
        padding_share=statistics.fmean(padding) if (padding := _values(train, "padding_share")) else None,
        input_wait_share=sum(waited) / sum(seconds) if waited and sum(seconds) else None,
        peak_memory_bytes=int(max(peaks)) if (peaks := _values(train, "peak_memory_bytes")) else None,
        checkpoints=len(_of(CheckpointMetric, records)),
        alerts=len(_of(Alert, records)),
        parts=_in_order(evals[-1][1].parts if evals else train[-1].parts if train else {}),
        exact_match={side: told["exact_match"] for side, told in in_format.items() if "exact_match" in told},
        flexible_match={s: value for s, told in answered.items() if (value := told.get("flexible_match")) is not None},
        exact_match_of={side: _interval(told) for side, told in in_format.items() if "exact_match_low" in told},
    )


def part_rank(name: str) -> tuple[int, int]:
    """Sort key of the parts of a row: format, step 1, step 2, …, answer, earlier replies; the prompt last."""
    kind, _, number = name.partition(" ")
    place = int(number) if number.isascii() and number.isdigit() else 0
    return {"format": 0, "step": 1, "answer": 2, "reply": 3}.get(kind, 4), place


def _in_order(parts: Losses) -> Losses:
    return {name: parts[name] for name in sorted(parts, key=part_rank)}


def _of(kind: type[_Kind], records: Sequence[Metric]) -> list[_Kind]:
    return [record for record in records if isinstance(record, kind)]


def _values(records: Sequence[TrainMetric], name: str) -> list[float]:
    return [float(value) for record in records if (value := getattr(record, name)) is not None]


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _interval(told: Mapping[str, Any]) -> dict[str, float]:
    """The 95 % interval, and the number of rows."""
    return {"low": told["exact_match_low"], "high": told.get("exact_match_high", 1.0), "rows": told["rows"]}
