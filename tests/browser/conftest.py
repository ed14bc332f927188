"""A fresh home behind a real server, and a browser on it that must end without a complaint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.visitor import Visitor, visiting
from tests.helpers.servers import Server, start_server


@pytest.fixture
def open_server(tmp_path: Path) -> Iterator[Server]:
    """`python -m app --no-auth` on a fresh home. A traceback in its log fails the test at its end."""
    server = start_server(tmp_path / "home", "--no-auth")
    yield server
    _, log = server.end(within=60)
    assert "most recent call last" not in log, log


@pytest.fixture
def visitor(open_server: Server) -> Iterator[Visitor]:
    """A fresh browser. Whatever went wrong in it fails the test at its end."""
    with visiting(open_server.url) as found:
        yield found
    assert found.watch.problems == []
