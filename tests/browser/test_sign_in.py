"""The access gate as a person meets it: a sign-in page, a cookie, and an address without the token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.helpers.visitor import IN_A_BROWSER, visiting
from tests.helpers.servers import Server, serving

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("gated") / "home") as server:
        yield server


def test_the_printed_address_opens_the_dashboard_and_leaves_no_token_in_it(browser: Any, gated: Server) -> None:
    with visiting(browser, gated.url) as visitor:
        visitor.page.goto(gated.greeting.split()[-1])
        visitor.sees_key("empty-home")
        assert "token" not in visitor.page.url
        history = visitor.page.evaluate("() => performance.getEntriesByType('navigation').map(e => e.name)")
        assert not any(gated.token in address for address in history)
        (cookie,) = [c for c in visitor.context.cookies() if c["name"].startswith("tunixrt_")]
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        assert gated.token not in cookie["value"]
        assert (gated.home / "token").stat().st_mode & 0o777 == 0o600
        assert visitor.watch.problems == []


def test_a_deep_link_asks_for_the_token_and_leads_on_to_its_page(browser: Any, gated: Server) -> None:
    with visiting(browser, gated.url) as visitor:
        visitor.page.goto(f"{gated.url}/system")
        visitor.page.locator("input[name=token]").fill("wrong")
        visitor.page.get_by_role("button", name="Sign in").click()
        visitor.page.get_by_role("alert").wait_for()
        visitor.page.locator("input[name=token]").fill(gated.token)
        visitor.page.get_by_role("button", name="Sign in").click()
        visitor.page.wait_for_url("**/system")
        visitor.page.get_by_role("heading", name="System", exact=True).wait_for()
        # the two 401 are meant: the page without the token, and the wrong one
        assert [p for p in visitor.watch.problems if "401" not in p] == []


def test_a_stranger_gets_neither_pages_nor_data(browser: Any, gated: Server) -> None:
    with visiting(browser, gated.url) as visitor:
        for path in ("", "traces", "api/traces", "static/favicon.png", "_stcore/host-config"):
            assert visitor.page.request.get(f"{gated.url}/{path}").status == 401, path
        assert visitor.page.request.get(f"{gated.url}/healthz").json() == {"status": "ok"}
