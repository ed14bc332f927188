"""A store, and the registry of its runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.databases import empty_database
from tunixrt_core.jobs.registry.runs import Registry
from tunixrt_core.store.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(empty_database(tmp_path / "db")) as opened:
        yield opened


@pytest.fixture
def registry(store: Store, tmp_path: Path) -> Registry:
    return Registry(store, tmp_path / "runs")
