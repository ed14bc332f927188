"""Overview of a home: counts, newest items, best score, last check."""

from __future__ import annotations

from dataclasses import dataclass

from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import Run
from tunixrt_core.store.backup import Health
from tunixrt_core.store.query import Growth


@dataclass(frozen=True, slots=True)
class BestScore:
    """The best tuned model by a metric; `over_base` is set if its base model answered the same prompts."""

    value: float
    record: EvalRecord
    over_base: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The contents of a home, and how much is new this week. Lists are newest first."""

    traces: Growth
    dataset_versions: Growth
    runs: Growth
    newest_version: DatasetVersion | None
    newest_runs: tuple[Run, ...]
    evaluations: tuple[EvalRecord, ...]
    best: BestScore | None


@dataclass(frozen=True, slots=True)
class CheckedStore:
    """The result of the last check of the database, and when it ended."""

    health: Health
    checked_at: float  # Unix seconds
    seconds: float
