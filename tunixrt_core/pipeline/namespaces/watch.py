"""What a monitor asks of a home: whether it can work, and its figures of now."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.errors import NotFound, TunixRTError
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import EvalMetric, TrainMetric, read_metrics
from tunixrt_core.util.files.disks import answers
from tunixrt_core.util.files.tails import tail

if TYPE_CHECKING:
    from tunixrt_core.jobs.holding import Holding
    from tunixrt_core.pipeline.namespaces.home import Home
    from tunixrt_core.pipeline.namespaces.queue import AcceleratorQueue
    from tunixrt_core.settings import Settings
    from tunixrt_core.store.store import Store

_LINES = 200  # last lines of the metrics that are read for the last train step and the last evaluation


@dataclass(frozen=True, slots=True)
class Training:
    """The run that trains now, at its last train step; losses in nats per token, None before the first."""

    run: str
    train_step: int
    total_train_steps: int
    loss: float | None
    eval_loss: float | None
    tokens_per_second: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of a home now. `runs` are counted by the status in the store, which follows the folders."""

    runs: Mapping[str, int]
    waiting: int
    holding: Holding
    training: Training | None
    disk_free_bytes: int


class Watch:
    """The home as a monitor sees it. Every method is quick enough to be asked every few seconds."""

    def __init__(self, settings: Settings, store: Store, queue: AcceleratorQueue, home: Home) -> None:
        self._settings = settings
        self._store = store
        self._queue = queue
        self._home = home

    def not_ready(self) -> list[str]:
        """Why requests cannot be served, in words without paths; empty where they can."""
        why = []
        folder = self._settings.home
        if not answers(folder) or not os.access(folder, os.W_OK):
            why.append("the home cannot be written")
        try:
            self._store.runs.by_status()
        except TunixRTError:
            why.append("the database does not answer")
        return why

    def figures(self) -> Figures:
        """The figures of now. Raises StoreError."""
        holding = self._home.holding()
        holder = holding.holder
        return Figures(
            runs=self._store.runs.by_status(),
            waiting=len(self._queue.state().waiting),
            holding=holding,
            training=self._training(holder.run) if holder and holder.kind == "train" else None,
            disk_free_bytes=self._home.host().disk_free_bytes,
        )

    def _training(self, run_id: str) -> Training | None:
        """None for a run of a command with a folder of its own, and for one that is about to begin."""
        try:
            folder = RunDir(Path(self._store.runs.get(run_id).directory))
            state = folder.state()
        except NotFound:
            return None
        records = read_metrics(tail(folder.metrics_file, _LINES).encode())
        train = next((each for each in reversed(records) if isinstance(each, TrainMetric)), None)
        measured = next((each for each in reversed(records) if isinstance(each, EvalMetric)), None)
        return Training(
            run_id,
            state.train_step,
            state.total_train_steps,
            train.loss if train else None,
            measured.loss if measured else None,
            train.tokens_per_second if train else None,
        )
