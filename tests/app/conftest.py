"""One real server for all tests that leave it running."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.servers import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with the gate on, for tests that leave it running."""
    with serving(tmp_path_factory.mktemp("server") / "home") as started:
        yield started
