"""Metric sinks that a run survives."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tunixrt_core.runs.metrics import Known, TrainPlan
from tunixrt_core.training.trainer import MetricSink

log = logging.getLogger(__name__)


class SparedSink:
    """A metric sink whose failure is logged as one warning, and never ends the run."""

    def __init__(self, inner: MetricSink, log: Callable[[str], None]) -> None:
        self._inner: MetricSink | None = inner
        self._log = log

    def plan(self, plan: TrainPlan) -> None:
        self._try(lambda sink: sink.plan(plan))

    def record(self, record: Known) -> None:
        self._try(lambda sink: sink.record(record))

    def close(self) -> None:
        self._try(lambda sink: sink.close())

    def _try(self, act: Callable[[MetricSink], None]) -> None:
        if self._inner is None:
            return
        try:
            act(self._inner)
        except Exception as error:  # another program's code: the training continues after any error in it
            name, self._inner = type(self._inner).__name__, None
            self._log(f"Warning: {name} receives no more metrics of this run: {type(error).__name__}: {error}")
            log.exception("%s failed", name)
