"""A cluster of two nodes, and homes whose jobs it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.machines.ray_nodes import RayNodes


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayNodes]:
    with RayNodes(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def home(nodes: RayNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in nodes.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TUNIXRT_EXECUTOR", nodes.address)
    monkeypatch.setenv("TUNIXRT_ALLOW", str(tmp_path))
    return tmp_path / "home"
