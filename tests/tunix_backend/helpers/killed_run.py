"""Runs a manifest as the command does, and kills its own process, as the kernel would, when told to.

python -m tests.tunix_backend.helpers.killed_run MANIFEST MODELS CACHE [TRAIN_STEP before|after]
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunixrt_core.manifest.manifest import load_manifest
from tunixrt_core.runs.record import RunDir
from tunixrt_core.training import execution
from tunixrt_core.training.recorder import RunRecorder
from tunixrt_core.tunix_backend.backend import TunixBackend
from tunixrt_core.tunix_backend.train.compiles import keep_compiled


def main(manifest_file: str, models: str, cache: str, train_step: str = "0", when: str = "after") -> None:
    class Killer(RunRecorder):
        def record(self, record: Mapping[str, Any]) -> None:
            here = record["kind"] == "train" and record["train_step"] == int(train_step)
            if here and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            super().record(record)
            if here:
                os.kill(os.getpid(), signal.SIGKILL)

    keep_compiled(Path(cache))
    manifest = load_manifest(Path(manifest_file))
    execution.RunRecorder = Killer  # type: ignore[misc]
    state = execution.execute_training(
        manifest, RunDir(Path(manifest.output_dir)), TunixBackend(Path(models)), stop=threading.Event()
    )
    print(state.status, state.message)


if __name__ == "__main__":
    main(*sys.argv[1:])
