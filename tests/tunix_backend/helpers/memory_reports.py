"""Counts the memory of manifests one after the other in this process, and writes the reports as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.tunix_backend.memory.count import count


def write_reports(manifests: Iterable[RunManifest], models_dir: Path, target: Path) -> None:
    """What `measure` has from a process of its own for each of them."""
    target.write_text(json.dumps([asdict(count(manifest, models_dir)) for manifest in manifests]))
