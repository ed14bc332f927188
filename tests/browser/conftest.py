"""One server and one browser for the tests of a file, each of which must end without a complaint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.helpers.visitor import Visitor, browsing, visiting
from tests.helpers.servers import Server, serving


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home behind the server: empty, unless a file makes one of its own."""
    return tmp_path_factory.mktemp("browser") / "home"


@pytest.fixture(scope="module")
def open_server(home: Path) -> Iterator[Server]:
    """`python -m app --no-auth`. A traceback in its log fails the last test of the file at its end."""
    with serving(home, "--no-auth") as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium. Not for the session: while it is open, no other test of this process can have an event loop."""
    with browsing() as opened:
        yield opened


@pytest.fixture
def visitor(browser: Any, open_server: Server) -> Iterator[Visitor]:
    """A tab that nobody used before, without cookies. Whatever went wrong in it fails the test at its end."""
    with visiting(browser, open_server.url) as found:
        yield found
    assert found.watch.problems == []
