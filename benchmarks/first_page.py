"""Seconds to the first page, beside bare Streamlit: `python benchmarks/first_page.py`."""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BAR_SECONDS = 1.2  # to GET /
DRAWN_SECONDS = 3.0  # to the page drawn in a browser
BARE = "import streamlit as st\n\nst.title('Bare')\n"
_QUIET = ("--server.headless=true", "--server.fileWatcherType=none", "--browser.gatherUsageStats=false")

Command = Callable[[int], list[str]]  # port -> command that starts the server on it


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument(
        "--fresh-home", action="store_true", help="use a new home for each start, which makes the database first"
    )
    parser.add_argument(
        "--browser", metavar="PATH", help="path of a Chromium, to measure also until it has drawn the page"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, drawing_with(options.browser) as draw:
        script = Path(folder) / "bare.py"
        script.write_text(BARE, encoding="utf-8")
        # compiles to __pycache__, fills the disk cache, makes the database
        measure(dashboard(Path(folder) / "warm-up"), draw)
        measure(bare(script), draw)
        homes = [Path(folder) / (f"home-{i}" if options.fresh_home else "warm-up") for i in range(options.runs)]
        pairs = [(measure(dashboard(home), draw), measure(bare(script), draw)) for home in homes]
    print(f"{options.runs} starts each, in turn, after a warm-up (min / median / max)")
    report("Tunix RT", [ours for ours, _ in pairs], drawn=bool(options.browser))
    report("a bare Streamlit app", [theirs for _, theirs in pairs], drawn=bool(options.browser))
    within = [statistics.median(ours.page for ours, _ in pairs) < BAR_SECONDS]
    print(f"Bar: GET / in under {BAR_SECONDS:.1f} s on two quiet cores: {'met' if within[0] else 'NOT met'}")
    if options.browser:
        within.append(statistics.median(ours.drawn for ours, _ in pairs) < DRAWN_SECONDS)
        print(f"Bar: drawn in under {DRAWN_SECONDS:.0f} s: {'met' if within[1] else 'NOT met'}")
    return 0 if all(within) else 1


class Start(NamedTuple):
    """Seconds from the start of the process to a healthy answer, to GET /, to the page drawn; CPU seconds to GET /."""

    healthy: float
    page: float
    drawn: float
    cpu: float


def report(name: str, starts: Sequence[Start], *, drawn: bool) -> None:
    print(f"{name}: seconds from the start of the process")
    rows = [("healthy", "healthy"), ("GET / is 200", "page"), ("CPU until then", "cpu")]
    for title, field in [*rows, ("drawn in the browser", "drawn")][: 4 if drawn else 3]:
        values = [getattr(start, field) for start in starts]
        print(f"  {title:<20} {min(values):5.2f} / {statistics.median(values):5.2f} / {max(values):5.2f}")


def dashboard(home: Path) -> Command:
    return lambda port: [sys.executable, "-m", "app", "--port", str(port), "--home", str(home), "--no-auth"]


def bare(script: Path) -> Command:
    return lambda port: [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}", *_QUIET]


def measure(command: Command, draw: Callable[[str], None]) -> Start:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    url, began = f"http://127.0.0.1:{port}", time.perf_counter()
    process = subprocess.Popen(command(port), cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"{url}/_stcore/health", process)
        healthy = time.perf_counter() - began
        wait_for(f"{url}/", process)
        page, cpu = time.perf_counter() - began, cpu_seconds(process.pid)
        draw(url)
        return Start(healthy, page, time.perf_counter() - began, cpu)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextlib.contextmanager
def drawing_with(browser: str | None) -> Iterator[Callable[[str], None]]:
    """Open an address in a running browser and return when its page is drawn; do nothing without a browser."""
    if browser is None:
        yield lambda url: None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])

        def draw(url: str) -> None:
            page = window.new_page()
            page.goto(url)
            page.wait_for_selector("h1")
            page.close()

        yield draw
        window.close()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                if answer.status == 200:
                    return
        except urllib.error.URLError:
            time.sleep(0.01)
    raise SystemExit(f"The server ended with {process.returncode} before it answered {url}.")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process; 0 where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100  # the kernel counts in hundredths


if __name__ == "__main__":
    sys.exit(main())
