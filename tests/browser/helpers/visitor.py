"""A browser with the few gestures that the tests make, which keeps every sign that something went wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

CHROMIUM = Path("/usr/bin/chromium")
# the marks of every file whose tests drive a browser
IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium"),
]
WIDE = (1440, 900)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Watch:
    """What went wrong in the browser, as lines: console errors, failed requests, requests to other hosts."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc
        self.problems: list[str] = []

    def follow(self, page: Any) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("response", self._response)

    def _console(self, message: Any) -> None:
        where = (message.location or {}).get("url", "")
        if message.type == "error":
            self.problems.append(f"console: {message.text} ({where})")

    def _request(self, request: Any) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.netloc != self.host:
            self.problems.append(f"request to another host: {url.geturl()}")

    def _failed(self, request: Any) -> None:
        # leaving a page ends what it was still loading
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"failed request: {request.url} {request.failure}")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")


class Visitor:
    """A tab of the browser. Widgets are found by their `key=`."""

    def __init__(self, context: Any, url: str, watch: Watch) -> None:
        self.context = context
        self.url = url
        self.watch = watch
        self.downloads: list[Any] = []
        # also those of other tabs: a link that opens one has its download told to it, or to this one
        context.on("page", lambda page: page.on("download", lambda file: self.downloads.append(file)))
        self.page = context.new_page()
        watch.follow(self.page)

    def second_tab(self) -> Visitor:
        """Another tab of the same browser, which knows the cookies and nothing else of the first."""
        return Visitor(self.context, self.url, self.watch)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}/{path}")
        self.settle()

    def settle(self, timeout: float = 60_000) -> None:
        self.page.wait_for_timeout(150)  # what was done must have reached the server before its end is waited for
        self.page.wait_for_selector(
            '[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=timeout, state="attached"
        )

    def drawn(self) -> None:
        """Wait until all parts are drawn: Streamlit loads the code of each kind of part when it is due."""
        self.page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
        self.page.locator(":is(.listing, .reader, .list)[aria-busy]").first.wait_for(state="detached")
        self.page.wait_for_timeout(300)

    def become(self, width: int, scheme: str) -> None:
        """Drag the window to another width, and change the colours of the system to "light" or "dark"."""
        self.page.set_viewport_size({"width": width, "height": WIDE[1]})
        self.page.emulate_media(color_scheme=scheme)
        self.page.wait_for_function(
            "scheme => getComputedStyle(document.querySelector('.stApp')).colorScheme === scheme", arg=scheme
        )
        self.drawn()

    def press(self, key: str, timeout: float = 30_000) -> None:
        self.page.locator(f".st-key-{key} button").first.click(timeout=timeout)
        self.settle()

    def press_twice(self, key: str) -> None:
        """A double click, as many make out of habit."""
        self.page.locator(f".st-key-{key} button").first.dblclick()
        self.settle()

    def unfold(self, key: str) -> None:
        """Open a part of the page that is folded."""
        self.page.locator(f".st-key-{key} summary").first.click()
        self.settle()

    def choose(self, key: str, word: str) -> None:
        """One of a segmented control's or a pills' options."""
        self.page.locator(f".st-key-{key}").get_by_text(word, exact=True).first.click()
        self.settle()

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()
        self.settle()

    def download(self, key: str, name: str = "") -> Path:
        """Click a download button or link, the one called `name` where there are more; the path of the file."""
        self.settle()
        before = len(self.downloads)
        self.page.locator(f".st-key-{key} button, .st-key-{key} a").filter(has_text=name).first.click()
        for _ in range(600):
            if len(self.downloads) > before:
                return Path(self.downloads[-1].path())
            self.page.wait_for_timeout(100)
        raise AssertionError(f"no download began within 60 s of a click on {key!r}")

    def sees(self, text: str, timeout: float = 30_000) -> None:
        self.page.get_by_text(text).first.wait_for(timeout=timeout)

    def sees_key(self, key: str, timeout: float = 30_000) -> None:
        self.page.locator(f".st-key-{key}").first.wait_for(timeout=timeout)

    def sees_chart(self, panel: str, timeout: float = 30_000) -> None:
        """Wait for a chart of a run, such as `loss`."""
        self.page.locator(f".card[data-panel={panel}] canvas").first.wait_for(timeout=timeout)

    def fill(self, key: str, text: str) -> None:
        field = self.page.locator(f".st-key-{key} input").first
        field.fill(text)
        field.press("Enter")
        self.settle()

    def title(self) -> str:
        return str(self.page.locator("h1").first.inner_text())

    def overflow(self) -> int:
        """By how many pixels the page can be scrolled sideways."""
        return int(
            self.page.evaluate(
                "() => (m => m.scrollWidth - m.clientWidth)(document.querySelector('[data-testid=stMain]'))"
            )
        )


@contextmanager
def browsing() -> Iterator[Any]:
    """A browser, for any number of visits one after the other."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Any, url: str, *, size: tuple[int, int] = WIDE, dark: bool = False) -> Iterator[Visitor]:
    """A visit to the server at `url`, which knows nothing of other visits with this browser."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",  # what moves is drawn 60 times per second, by a CPU here
    )
    yield Visitor(context, url, Watch(url))
    context.close()
