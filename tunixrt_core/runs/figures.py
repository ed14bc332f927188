"""Figures of a run for a table of many: settings, and results from its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import Alert, EvalMetric, TrainMetric
from tunixrt_core.runs.record import RunState

# listed name -> where a manifest holds it
_SETTINGS = {
    "model": ("model", "id"),
    "method": ("method",),
    "learning_rate": ("optimizer", "learning_rate"),
    "lora_rank": ("lora", "rank"),
    "batch_size": ("batch", "size"),
    "max_seq_length": ("max_seq_length",),
}
DIGITS = 6  # significant ones of a loss


def settings_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The listed settings of a manifest; what it lacks, and the rank of a run without LoRA, is left out."""
    found: dict[str, Any] = {}
    for name, path in _SETTINGS.items():
        value: Any = manifest
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            found[name] = value
    if found.get("method") == "full":
        found.pop("lora_rank", None)
    return found


class RunFigures:
    """Results of one run, read on from where the last look ended. `values` lacks what was not measured.

    Losses are nats per token.
    """

    def __init__(self, folder: RunDir) -> None:
        self._folder = folder
        self._cursor = 0
        self._clear()

    def _clear(self) -> None:
        self._losses: dict[str, Any] = {}
        self._seconds: float | None = None
        self._tokens = 0
        self._alerts = 0

    def values(self, state: RunState) -> dict[str, Any]:
        """The figures with what `state` says, after reading the new records."""
        records, cursor = self._folder.metrics(self._cursor)
        if cursor < self._cursor:  # the file was cut, and read from its beginning
            self._clear()
        self._cursor = cursor
        for record in records:
            self._seconds = record.time if record.time is not None else self._seconds
            if isinstance(record, TrainMetric):
                self._tokens += record.trained_tokens or 0
                self._take("train_loss", record.loss)
            elif isinstance(record, EvalMetric):
                self._take("eval_loss", record.loss)
                self._best(record)
            elif isinstance(record, Alert):
                self._alerts += 1
        counted = {"seconds": self._seconds, "trained_tokens": self._tokens, "alerts": self._alerts}
        return {
            "train_step": state.train_step,
            "total_train_steps": state.total_train_steps,
            **self._losses,
            **{name: value for name, value in counted.items() if value},
        }

    def _take(self, name: str, loss: float | None) -> None:
        if loss is not None:
            self._losses[name] = float(f"{loss:.{DIGITS}g}")

    def _best(self, record: EvalMetric) -> None:
        before = self._losses.get("best_eval_loss")
        if record.loss is not None and (before is None or record.loss < before):
            self._take("best_eval_loss", record.loss)
            self._losses["best_train_step"] = record.train_step


def changed_at(directory: str) -> int:
    """When the state in a run's folder was last written, in nanoseconds; 0 where there is none."""
    with suppress(OSError, ValueError):
        return os.lstat(f"{directory}/state.json").st_mtime_ns
    return 0
