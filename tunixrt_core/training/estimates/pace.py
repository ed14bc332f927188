"""Expected duration of a run, from similar runs on the same device."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunixrt_core.errors import BrokenFile
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import Metric, TrainMetric, read_metrics
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.util.files.regular import open_regular

_LEAST = 10  # train steps that a run needs for an estimate
_ENDS = 64 << 10  # bytes of the metrics that are read, at the beginning and at the end


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of an earlier run: time to begin (loading, compiling), and per train step with evaluations and saves."""

    run_id: str
    start_seconds: float
    step_seconds: float

    def seconds(self, train_steps: int) -> float:
        return self.start_seconds + self.step_seconds * train_steps


def pace_for(manifest: RunManifest, runs: Iterable[Run], device: str) -> Pace | None:
    """From the first of `runs` that is like the manifest, on that kind of device (`CPU`, `GPU`, `TPU`).

    One of the same dataset comes first, as the length of its rows matters too. None if no run qualifies.
    """
    readable = (run for run in runs if run.manifest)  # a broken run may have none
    alike = [run for run in readable if _kind(run.manifest) == _kind(manifest.to_dict())]
    name = manifest.dataset.name if manifest.dataset else None
    alike.sort(key=lambda run: (run.dataset.name if run.dataset else None) != name)
    return next((pace for run in alike if (pace := pace_of(run, device)) is not None), None)


def pace_of(run: Run, device: str) -> Pace | None:
    """None if the run did too few train steps, trained on another kind of device, or cannot be read."""
    folder = RunDir(Path(run.directory))
    if run.status is RunStatus.BROKEN or not os.path.lexists(folder.state_file):
        return None
    if device.casefold() not in folder.state().device.casefold():
        return None
    trained = [
        (record.train_step, record.time)
        for record in _ends(folder.metrics_file)
        if isinstance(record, TrainMetric) and record.time is not None
    ]
    if len(trained) < 2:
        return None
    (first, began), (last, ended) = min(trained), max(trained)
    if last - first < _LEAST or ended <= began:
        return None
    step = (ended - began) / (last - first)
    return Pace(run.id, max(0.0, began - step * first), step)


def _kind(manifest: Any) -> tuple[Any, ...]:
    """The values that decide the cost of a train step: model, method, length and batch."""
    adapts = manifest["lora"]["rank"] if manifest["method"] != "full" else None
    return (*(manifest[key] for key in ("model", "method", "max_seq_length", "batch", "mesh")), adapts)


def _ends(file: Path) -> list[Metric]:
    """The whole records at the beginning and at the end of a file of metrics."""
    try:
        with open_regular(file) as handle:
            blocks = [handle.read(_ENDS)]
            size = handle.seek(0, 2)
            if size > _ENDS:
                handle.seek(max(_ENDS, size - _ENDS))
                blocks.append(handle.read())
    except (OSError, BrokenFile):
        return []
    # a block may begin or end inside of a line, which is no record then
    return [record for block in blocks for record in read_metrics(block)]
