"""What all tests share: a home of their own, a few traces, and the marker that skips what Tunix is needed for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tunixrt_core.tunix_backend.availability import is_tunix_available

# before jax is imported anywhere: tests never take a shared accelerator by accident
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Half the time of these tests is XLA's: they compile hundreds of programs and run each a few times. Whoever starts a
# process of its own to prove what a user gets (test_resume, test_command_loop) takes `AS_A_USER`.
QUICK_COMPILE = "--xla_backend_optimization_level=0"
os.environ.setdefault("XLA_FLAGS", QUICK_COMPILE)
AS_A_USER = {"XLA_FLAGS": ""}

# Machines are shared: how long an example takes says nothing about what is tested.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

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
