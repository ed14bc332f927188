"""Records that a resumed run makes again, and how they are cut from its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tunixrt_core.runs.metrics import (
    Alert,
    ChangeMetric,
    EvalMetric,
    Metric,
    SamplesMetric,
    read_answers,
    read_metrics,
)


@dataclass(slots=True)
class Kept:
    """What stays of the metrics of a run: seconds trained, and how often each alert was raised."""

    seconds: float = 0.0
    alerts: Counter[str] = field(default_factory=Counter)
    end: int | None = None  # offset of the first record that is made again
    behind: list[bytes] = field(default_factory=list)  # lines behind it that stay

    def cut(self, metrics: BinaryIO) -> None:
        """Cut the void records. Almost always they are the end of the file; a later one that stays is written again.

        This also fixes a last line that a killed process left half-written.
        """
        if self.end is not None:
            metrics.truncate(self.end)
            metrics.writelines(self.behind)
            metrics.flush()


def read_kept(metrics: Path, restored: int, see: Callable[[Metric], object]) -> Kept:
    """Pass each record that a run continuing after the train step `restored` does not make again to `see`."""
    kept, offset = Kept(), 0
    with metrics.open("rb") as file:
        for line in file:
            record = next(iter(read_metrics(line)), None) if line.endswith(b"\n") else None
            if record is None or is_made_again(record, restored):
                kept.end = offset if kept.end is None else kept.end
            else:
                kept.seconds = kept.seconds if record.time is None else record.time
                kept.alerts.update([record.alert] if isinstance(record, Alert) else [])
                kept.behind += [line] if kept.end is not None else []
                see(record)
            offset += len(line)
    return kept


def is_made_again(record: Metric, restored: int) -> bool:
    """Whether a run that continues after the train step `restored` makes a record again."""
    step = record.train_step
    return step > restored or (step == restored and isinstance(record, EvalMetric | SamplesMetric | ChangeMetric))


def cut_samples(file: Path, restored: int) -> None:
    """Cut the answers that a run continuing after the train step `restored` makes again: the end of the file."""
    if not file.exists():
        return
    with file.open("r+b") as samples:
        end = 0
        for line in samples:
            answers = read_answers(line)
            if not line.endswith(b"\n") or (answers and answers[0].train_step >= restored):
                break
            end += len(line)
        samples.truncate(end)
