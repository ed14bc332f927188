"""Runs a manifest on forced host devices, alone or as one of several processes, and prints its losses as JSON.

python -m tests.tunix_backend.helpers.mesh_run MANIFEST MODELS DEVICES [PROCESSES INDEX PORT]
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(manifest_file: str, models: str, devices: str) -> None:
    os.environ["XLA_FLAGS"] += f" --xla_force_host_platform_device_count={devices}"
    from tests.tunix_backend.conftest import KeptReports, train
    from tunixrt_core.manifest.manifest import load_manifest

    reports = KeptReports()
    outcome = train(load_manifest(Path(manifest_file)), Path(models), reports)
    print(
        json.dumps(
            {
                "train": reports.of("train"),
                "eval": reports.of("eval"),
                "parts": reports.of("train", "parts"),
                "plan": reports.plans[0],
                "train_step": outcome.train_step,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
