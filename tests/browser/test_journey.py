"""One user's way through the dashboard, in a real browser: from the empty home to an evaluated model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import ARGUMENTS, CHROMIUM, Watch
from tunixrt_core.tunix_backend.availability import is_tunix_available

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium"),
]

TRAINING_MS = 240_000


class Visitor:
    """A browser page with the few gestures of this journey. Widgets are found by their `key=`."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}/{path}")
        self.settle()

    def settle(self, timeout: float = 30_000) -> None:
        self.page.wait_for_timeout(150)  # what was done must have reached the server before its end is waited for
        self.page.wait_for_selector(
            '[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=timeout, state="attached"
        )

    def press(self, key: str, timeout: float = 30_000) -> None:
        self.page.locator(f".st-key-{key} button").first.click(timeout=timeout)
        self.settle()

    def sees(self, text: str, timeout: float = 30_000) -> None:
        self.page.get_by_text(text).first.wait_for(timeout=timeout)

    def sees_key(self, key: str, timeout: float = 30_000) -> None:
        self.page.locator(f".st-key-{key}").first.wait_for(timeout=timeout)

    def fill(self, key: str, text: str) -> None:
        field = self.page.locator(f".st-key-{key} input").first
        field.fill(text)
        field.press("Enter")
        self.settle()

    def title(self) -> str:
        return str(self.page.locator("h1").first.inner_text())


@pytest.fixture
def visitor(server_url: str) -> Iterator[Visitor]:
    """A fresh browser. Whatever went wrong in it fails the test at its end."""
    watch = Watch(server_url)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        watch.follow(page)
        yield Visitor(page, server_url)
        browser.close()
    assert watch.problems == []


def make_dataset(visitor: Visitor) -> None:
    """From the empty home to a dataset version, with the buttons that the pages offer."""
    visitor.open("")
    visitor.press("load-examples")
    visitor.sees("read = ")
    visitor.press("build-a-dataset")
    visitor.press("build-dataset")
    visitor.sees_key("split")


def test_a_newcomer_gets_from_the_empty_home_to_a_manifest(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open("")
    visitor.sees("Nothing here yet")
    make_dataset(visitor)
    visitor.page.wait_for_url("**/datasets?dataset=*")

    visitor.press("go-tunix")
    visitor.sees("manifest_version")
    with visitor.page.expect_download() as download:
        visitor.page.locator(".st-key-download-yaml button").click()
    assert Path(download.value.path()).read_text().startswith("manifest_version:")
    with visitor.page.expect_download() as download:
        visitor.page.locator(".st-key-download-export a").click()
    assert b'"trace_steps"' in Path(download.value.path()).read_bytes().splitlines()[0]


def test_traces_are_searched_read_and_found_again_by_address(visitor: Visitor) -> None:
    make_dataset(visitor)
    visitor.open("traces")
    visitor.sees_key("reader")
    visitor.press("next-trace")
    visitor.page.wait_for_url("**/traces?*trace=*")
    address = visitor.page.url
    shown = visitor.page.locator(".st-key-reader").filter(has_text=address.rpartition("trace=")[2][:8])
    shown.wait_for()
    visitor.page.goto("about:blank")
    visitor.page.goto(address)
    shown.wait_for()

    visitor.press("delete-trace")
    visitor.press("confirm-delete")
    visitor.sees("599 traces")

    visitor.fill("q", "no-such-word-anywhere")
    visitor.sees("No traces match")
    visitor.press("clear-filters")
    visitor.sees_key("reader")


def test_every_page_opens_by_its_address(visitor: Visitor) -> None:
    make_dataset(visitor)
    titles = {
        "": "Overview",
        "traces": "Traces",
        "import": "Import traces",
        "datasets?new=1": "New dataset version",
        "tunix": "Export and manifest",
        "evaluations": "Evaluations",
        "system": "System",
    }
    if is_tunix_available():
        titles |= {"new-run": "New run", "run": "Runs", "compare": "Compare runs"}
    for path, title in titles.items():
        visitor.open(path)
        visitor.page.get_by_role("heading", name=title, exact=True).first.wait_for()
        assert "Tunix RT" in visitor.page.title()
        width = visitor.page.evaluate(
            "() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth - m.clientWidth }"
        )
        assert width <= 0, f"/{path} scrolls sideways"


@pytest.mark.tunix
def test_a_run_is_started_watched_found_again_finished_and_evaluated(visitor: Visitor) -> None:
    make_dataset(visitor)
    visitor.press("train-on-this")
    visitor.page.locator(".st-key-run-by").get_by_text("Train steps", exact=True).click()
    visitor.settle()
    visitor.fill("run-train_steps", "30")
    visitor.press("start-run")
    visitor.page.wait_for_url("**/run?run=r-0001")

    # leave, and find it again by its address alone
    visitor.open("run?run=r-0001")
    visitor.sees_key("card-loss", timeout=TRAINING_MS)
    visitor.sees("Finished", timeout=TRAINING_MS)
    visitor.sees("train step 30 of 30")

    visitor.press("evaluate-run")
    visitor.sees_key("comparison", timeout=TRAINING_MS)
    visitor.sees_key("prediction", timeout=TRAINING_MS)
    visitor.sees("McNemar p", timeout=TRAINING_MS)


@pytest.mark.tunix
def test_a_run_that_is_stopped_keeps_a_checkpoint_and_offers_to_go_on(visitor: Visitor) -> None:
    make_dataset(visitor)
    visitor.press("train-on-this")
    visitor.press("start-run")
    visitor.page.wait_for_url("**/run?run=r-0001")
    visitor.sees_key("card-loss", timeout=TRAINING_MS)
    visitor.press("stop-run")
    visitor.sees_key("resume-run", timeout=TRAINING_MS)
    visitor.sees("Stopped")
