"""A user who may only read, as a person meets it: a name, actions that are off, and the end of a revoked token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.helpers.visitor import IN_A_BROWSER, visiting
from tests.helpers.command import tunixrt
from tests.helpers.servers import Server, start_server

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(tmp_path_factory.mktemp("gated") / "home")
    yield server
    server.end(within=60)


def made(home: Path, name: str, role: str) -> str:
    return tunixrt("users", "add", name, "--role", role, home=home).stdout.strip()


def test_a_reader_is_named_offered_no_action_and_let_out(browser: Any, gated: Server) -> None:
    token = made(gated.home, "rea", "read")
    with visiting(browser, gated.url) as visitor:
        visitor.page.goto(f"{gated.url}/?token={token}")
        visitor.sees_key("visitor")
        sidebar = visitor.page.locator(".st-key-visitor").inner_text()
        assert "rea" in sidebar
        assert "Read only" in sidebar
        visitor.open("import")
        assert visitor.page.get_by_role("button", name="Load example traces").is_disabled()
        visitor.page.get_by_role("button", name="Load example traces").hover(force=True)
        visitor.page.get_by_text("You may only read here.").wait_for()
        visitor.open("system")
        visitor.page.get_by_text("Audit log").wait_for()
        visitor.page.get_by_role("link", name="Sign out").click()
        visitor.page.locator("input[name=token]").wait_for()
        assert len(visitor.context.pages) == 1


def test_the_open_page_of_a_revoked_token_ends(browser: Any, gated: Server) -> None:
    token = made(gated.home, "ben", "write")
    with visiting(browser, gated.url) as visitor:
        visitor.page.goto(f"{gated.url}/import?token={token}")
        visitor.sees_key("visitor")
        tunixrt("users", "revoke", "ben", home=gated.home)
        visitor.page.wait_for_timeout(5_500)
        visitor.page.get_by_role("button", name="Load example traces").click()
        visitor.page.get_by_text("Connection error").wait_for()
        assert visitor.page.request.get(f"{gated.url}/api/traces/count").status == 401
