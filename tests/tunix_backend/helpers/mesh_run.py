"""Trains manifests one after the other in this process, whatever devices it has, and writes their losses as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.tunix_backend.conftest import KeptReports, train
from tunixrt_core.manifest.manifest import RunManifest


def write_losses(manifests: Mapping[str, RunManifest], models_dir: Path, target: Path) -> None:
    """Of each: the losses of train steps and evaluations, the parts of the former, and the mesh."""
    found = {}
    for name, manifest in manifests.items():
        reports = KeptReports()
        train(manifest, models_dir, reports)
        found[name] = {
            "train": reports.of("train"),
            "eval": reports.of("eval"),
            "parts": reports.of("train", "parts"),
            "mesh": reports.plans[0]["mesh"],
            "device": reports.plans[0]["device"],
        }
    target.write_text(json.dumps(found))
