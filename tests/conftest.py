"""What all tests share: a home of their own, a few traces, and the marker that skips what Tunix is needed for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunixrt_core.tunix_backend.availability import is_tunix_available

# before jax is imported anywhere: tests never take a shared accelerator by accident
os.environ.setdefault("JAX_PLATFORMS", "cpu")

REPOSITORY = Path(__file__).parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if is_tunix_available():
        return
    skip = pytest.mark.skip(reason="google-tunix is not installed")
    for item in items:
        if "tunix" in item.keywords and item.get_closest_marker("tunix"):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the home of whoever runs it."""
    for name in [name for name in os.environ if name.startswith("TUNIXRT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TUNIXRT_HOME", str(tmp_path / "home"))
