"""Chromium against a real server: every console error, failed request and request to another host is kept."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest

from tests.conftest import REPOSITORY

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Streamlit finds out where it is mounted by asking below the page's own path first
HARMLESS = ("/_stcore/health", "/_stcore/host-config")


class Watch:
    """What went wrong in the browser, as lines."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc
        self.problems: list[str] = []

    def follow(self, page: object) -> None:
        page.on("console", self._console)  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))  # type: ignore[attr-defined]
        page.on("request", self._request)  # type: ignore[attr-defined]
        page.on("requestfailed", self._failed)  # type: ignore[attr-defined]
        page.on("response", self._response)  # type: ignore[attr-defined]

    def _console(self, message: object) -> None:
        kind, text = message.type, message.text  # type: ignore[attr-defined]
        where = (message.location or {}).get("url", "")  # type: ignore[attr-defined]
        if kind == "error" and not where.endswith(HARMLESS):
            self.problems.append(f"console: {text} ({where})")

    def _request(self, request: object) -> None:
        url = urlsplit(request.url)  # type: ignore[attr-defined]
        if url.scheme in ("http", "https", "ws", "wss") and url.netloc != self.host:
            self.problems.append(f"request to another host: {url.geturl()}")

    def _failed(self, request: object) -> None:
        # leaving a page ends what it was still loading
        if request.failure != "net::ERR_ABORTED":  # type: ignore[attr-defined]
            self.problems.append(f"failed request: {request.url} {request.failure}")  # type: ignore[attr-defined]

    def _response(self, response: object) -> None:
        if response.status >= 400 and not response.url.endswith(HARMLESS):  # type: ignore[attr-defined]
            self.problems.append(f"{response.status}: {response.url}")  # type: ignore[attr-defined]


@pytest.fixture
def server_url(tmp_path: Path) -> Iterator[str]:
    """`python -m app --no-auth` on a fresh home, ended by its own process id."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "app", "--no-auth", "--port", str(port), "--home", str(tmp_path / "home")]
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended at its start"
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5):
                return
        except URLError:
            time.sleep(0.2)
    raise AssertionError("the server did not become healthy within 60 s")
