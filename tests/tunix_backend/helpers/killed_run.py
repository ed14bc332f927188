"""Runs a manifest as the command does, and kills its own process, as the kernel would, when told to."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import Record, TrainMetric
from tunixrt_core.training import execution
from tunixrt_core.training.recording.recorder import RunRecorder
from tunixrt_core.tunix_backend.backend import TunixBackend


def train_until(manifest: RunManifest, models: Path, train_step: int = 0, when: str = "after") -> None:
    """Killed before or after this train step is written down; at 0, it is left to end."""

    class Killer(RunRecorder):
        def record(self, record: Record) -> None:
            here = isinstance(record, TrainMetric) and record.train_step == train_step
            if here and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            super().record(record)
            if here:
                os.kill(os.getpid(), signal.SIGKILL)

    execution.RunRecorder = Killer  # type: ignore[misc]
    state = execution.execute_training(
        manifest, RunDir(Path(manifest.output_dir)), TunixBackend(models), stop=threading.Event()
    )
    print(state.status, state.message)
