"""Seconds from the start of the process to a healthy server and its first page: `python benchmarks/first_page.py`."""

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
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BAR_SECONDS = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--fresh-home", action="store_true", help="a new home each time: the database is made first")
    parser.add_argument("--browser", metavar="PATH", help="a Chromium: also until the page is drawn in it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, drawing_with(options.browser) as draw:
        # compiles to __pycache__, fills the disk cache, makes the database
        measure(Path(folder) / "warm-up", draw)
        homes = [Path(folder) / (f"home-{i}" if options.fresh_home else "warm-up") for i in range(options.runs)]
        times = [measure(home, draw) for home in homes]
    healthy, page, drawn, cpu = zip(*times, strict=True)
    print(f"{options.runs} starts after a warm-up, seconds from the start of the process (min / median / max)")
    rows = [("GET /healthz is 200", healthy), ("GET / is 200", page), ("CPU until then", cpu)]
    if options.browser:
        rows.append(("drawn in the browser", drawn))
    for name, values in rows:
        print(f"  {name:<20} {min(values):5.2f} / {statistics.median(values):5.2f} / {max(values):5.2f}")
    within = statistics.median(drawn) < BAR_SECONDS
    print(f"Bar: first page in under {BAR_SECONDS:.0f} s: {'met' if within else 'NOT met'}")
    return 0 if within else 1


def measure(home: Path, draw: Callable[[str], None]) -> tuple[float, float, float, float]:
    """Seconds to the first healthy answer, to the first page, to the page drawn; CPU seconds up to the first page."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "--port", url.rpartition(":")[2], "--home", str(home), "--no-auth"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(f"{url}/healthz", process)
        healthy = time.perf_counter() - began
        wait_for(f"{url}/", process)
        page, cpu = time.perf_counter() - began, cpu_seconds(process.pid)
        draw(url)
        return healthy, page, time.perf_counter() - began, cpu
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextlib.contextmanager
def drawing_with(browser: str | None) -> Iterator[Callable[[str], None]]:
    """Opens an address in a browser that already runs and returns when its page is drawn; without one, does nothing."""
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
