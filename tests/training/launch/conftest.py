"""A manifest with its data file, and launches of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.conftest import make_manifest
from tunixrt_core.training.launch.order import Engine
from tunixrt_core.training.launch.plan import Launch, Wishes, plan

WISHES: dict[Engine, dict[str, Any]] = {
    "skypilot": {"shared": "10.0.0.2:/tunixrt"},
    "gke": {"shared": "runs", "image": "registry.example/tunix-rt:tpu"},
    "kuberay": {"shared": "runs", "image": "registry.example/tunix-rt:tpu"},
    "gcloud": {"shared": "10.0.0.2:/tunixrt", "zone": "us-west4-a"},
}
Plan = Callable[..., Launch]


@pytest.fixture
def planned(tmp_path: Path) -> Plan:
    """`planned(engine, slice, wish=..., hyper={...})`: the wishes of WISHES, but for those that are given."""

    def make(engine: Engine, on: str, hyper: dict[str, Any] | None = None, **wishes: Any) -> Launch:
        manifest = make_manifest(tmp_path, **{"name": "Dial, v2", "batch_size": 16, **(hyper or {})})
        return plan(tmp_path / "run.yaml", manifest, on, engine, Wishes(**{**WISHES[engine], **wishes}))

    return make
