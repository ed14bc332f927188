"""What is looked at among the data stands in the address: a reload, the back button and a second tab show the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import ARGUMENTS, CHROMIUM, Watch

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium"),
]


@pytest.fixture
def page(server_url: str) -> Iterator[Any]:
    """A browser at a home with the bundled examples; every error in it fails the test."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        watch = Watch(server_url)
        context = browser.new_context(base_url=server_url, viewport={"width": 1440, "height": 1000})
        context.set_default_timeout(60_000)
        context.on("page", watch.follow)
        page = context.new_page()
        page.goto("/import")
        press(page, "load-examples")
        page.get_by_text("600 read = 600 inserted").wait_for()
        yield page
        browser.close()
        assert watch.problems == []


def settle(page: Any) -> None:
    page.wait_for_timeout(300)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', state="attached")


def press(page: Any, key: str) -> None:
    page.locator(f".st-key-{key} button").first.click()
    settle(page)


def everywhere(page: Any, text: str) -> None:
    """The text is seen here, after a reload, and in a second tab."""
    shown = re.compile(re.escape(text))
    page.get_by_text(shown).first.wait_for()
    page.reload()
    page.get_by_text(shown).first.wait_for()
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_text(shown).first.wait_for()
    settle(other)
    other.close()


def test_filters_and_the_trace_that_is_read(page: Any) -> None:
    page.goto("/traces")
    settle(page)
    page.locator(".st-key-q input").fill("forward")
    page.locator(".st-key-q input").press("Enter")
    page.wait_for_url(re.compile("q=forward"))
    page.get_by_role("button", name="Answer right").click()
    page.wait_for_url(re.compile("chips="))
    settle(page)
    first = page.url
    found = page.locator(".st-key-pager").get_by_text(re.compile("traces$")).inner_text()
    press(page, "next-trace")
    page.wait_for_url(re.compile("trace="))
    read = page.locator(".st-key-reader strong").first.inner_text()
    assert page.url != first
    everywhere(page, read)
    everywhere(page, found)
    press(page, "next-trace")
    page.get_by_text(read, exact=True).first.wait_for(state="detached")
    page.go_back()
    page.get_by_text(read, exact=True).first.wait_for()


def test_the_two_traces_that_are_compared(page: Any) -> None:
    page.goto("/traces")
    settle(page)
    a = page.locator(".st-key-reader strong").first.inner_text()
    press(page, "next-trace")
    b = page.locator(".st-key-reader strong").first.inner_text()
    press(page, "compare-trace")
    page.get_by_label(f"Compare {b} with").fill(a)
    page.get_by_label(f"Compare {b} with").press("Enter")
    page.wait_for_url(re.compile(f"with={a}"))
    everywhere(page, f"B · {a}")


def test_the_version_its_gate_and_the_split(page: Any) -> None:
    page.goto("/datasets?new=1")
    settle(page)
    page.locator(".st-key-dataset-name input").fill("gated")
    page.locator(".st-key-gates-warn").get_by_role("button", name="Exact duplicates").click()
    press(page, "build-dataset")
    page.wait_for_url(re.compile("dataset=gated"))
    settle(page)
    page.locator(".st-key-preview-split").get_by_text("eval", exact=True).click()
    page.wait_for_url(re.compile("split=eval"))
    everywhere(page, "Version 1 · frozen")
    assert page.locator('[aria-label*="rows of the eval split"]').count() == 1
    assert page.locator('[aria-label^="Tokens a row, estimate"]').count() == 1
