"""Reruns per second with 20 sessions, memory after 1,000 reruns, time of navigation.

python benchmarks/page_reruns.py --browser /usr/bin/chromium
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.live_tick import Growing  # noqa: E402
from benchmarks.pages_serving import Server, serving  # noqa: E402
from tunixrt_core.datasets.spec import DatasetSpec  # noqa: E402
from tunixrt_core.pipeline.pipeline import open_pipeline  # noqa: E402
from tunixrt_core.runs.record import RunStatus  # noqa: E402
from tunixrt_core.settings import Settings  # noqa: E402

ROWS, SESSIONS, BAR = 1000, 20, 100.0
TABLE = """
import pandas as pd
import streamlit as st
{setup}
rows = [{{"id": i, "name": f"trace {{i}}", "loss": i / 7, "steps": i % 9}} for i in range(1000)]
{show}
"""
BARE = TABLE.format(setup="", show='st.title("Table")\nst.dataframe(pd.DataFrame(rows), key="table")')
FRAMED = TABLE.format(
    setup=f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom app.ui.components import device_block, header, table",
    show="""with st.sidebar:
    device_block()
with header("Table", "1,000 rows"):
    st.button("Do something", type="primary", key="do")
number = st.column_config.NumberColumn
columns = {"id": number("ID"), "name": st.column_config.TextColumn("Name"), "loss": number("Loss"), "steps": number()}
table(rows, columns, key="table", alt="A table")""",
)
PAGES = ("", "traces", "run", "run?run=r-0001")
TWO_PAGES = """
import streamlit as st

def first():
    st.title("First")

def second():
    st.title("Second")

st.navigation([st.Page(first, title="First"), st.Page(second, title="Second", url_path="second")]).run()
"""


@dataclass
class Load:
    """The figures of sessions that rerun a page repeatedly."""

    milliseconds: float  # median, from the request to its end
    a_second: float
    cpu: float  # milliseconds of the server per rerun
    size: float  # bytes per rerun


class Session:
    """A WebSocket that acts as the browser: it names the messages that it has, and they come as hashes."""

    def __init__(self, socket: Any, page: str) -> None:
        self.socket = socket
        self.page, _, self.query = page.partition("?")
        self.hash = ""
        self.cached: set[str] = set()

    async def rerun(self) -> int:
        """Run once more; return the bytes received."""
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        ask = BackMsg()
        ask.rerun_script.query_string = self.query
        ask.rerun_script.page_script_hash = self.hash
        ask.rerun_script.page_name = "" if self.hash else self.page
        ask.rerun_script.cached_message_hashes.extend(self.cached)
        await self.socket.send(ask.SerializeToString())
        size, cached = 0, set()
        while True:
            data = await self.socket.recv()
            message = ForwardMsg.FromString(data)
            size += len(data)
            kind = message.WhichOneof("type")
            if kind == "navigation":
                self.hash = message.navigation.page_script_hash
            elif kind == "ref_hash":
                cached.add(message.ref_hash)
            elif message.metadata.cacheable:
                cached.add(message.hash)
            if kind == "script_finished":
                self.cached = cached
                return size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="seconds of each load")
    parser.add_argument(
        "--browser", metavar="PATH", help="path of a Chromium, to measure also the time from page to page"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = make_home(folder / "home")
        met = tables(folder, home, options.seconds)
        with serving(folder, home=home, timed=False) as server:
            for page in PAGES:
                show(f"/{page}", asyncio.run(load(server, page, SESSIONS, options.seconds)))
            if options.browser:
                navigation(folder, server, options.browser)
    return 0 if met else 1


def make_home(home: Path) -> Path:
    """Example traces, a dataset version, and a finished run of 2,000 train steps."""
    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(home)})) as rt:
        rt.traces.ingest_examples(500)
        rt.datasets.build(DatasetSpec("examples"))
        run = Growing(home, 2000)
        run.recorder.finish(RunStatus.STOPPED, train_step=2000)
        run.recorder.close()
        rt.registry.recover()
    return home


def tables(folder: Path, home: Path, seconds: float) -> bool:
    """Measure a page of 1,000 rows in the dashboard's frame, and bare."""
    found, grown = {}, 0.0
    for name, text in (("framed", FRAMED), ("bare", BARE)):
        script = folder / f"{name}.py"
        script.write_text(text)
        with serving(folder, home=home if name == "framed" else None, script=script, timed=False) as server:
            one = asyncio.run(load(server, "", 1, seconds / 2))
            found[name] = asyncio.run(load(server, "", SESSIONS, seconds))
            print(f"{ROWS:,} rows, {name}: one session {one.milliseconds:.1f} ms, {one.cpu:.1f} ms CPU per rerun")
            show(f"  {SESSIONS} sessions", found[name])
            before = server.megabytes
            asyncio.run(times(server, 1000))
            grown = server.megabytes - before
            print(f"  1,000 reruns of one session more: {grown:+.1f} MB to {server.megabytes:.0f} MB resident")
    framed, bare = found["framed"].a_second, found["bare"].a_second
    met = framed >= BAR
    print(f"Bar: {BAR:.0f} reruns/s: {'met' if met else 'NOT met'}; {framed / bare:.2f} x the bare page")
    return met


async def load(server: Server, page: str, sessions: int, seconds: float) -> Load:
    waits: list[float] = []
    sizes: list[int] = []
    until = 0.0

    async def one(socket: Any) -> None:
        session = Session(socket, page)
        await session.rerun()
        await session.rerun()
        ready.append(session)
        while len(ready) < sessions:
            await asyncio.sleep(0.05)
        nonlocal until, cpu
        if not until:
            until, cpu = time.perf_counter() + seconds, server.cpu_seconds
        while time.perf_counter() < until:
            began = time.perf_counter()
            sizes.append(await session.rerun())
            waits.append(time.perf_counter() - began)

    ready: list[Session] = []
    cpu = 0.0
    await connected(server, sessions, one)
    spent = server.cpu_seconds - cpu
    return Load(
        1000 * statistics.median(waits),
        len(waits) / seconds,
        1000 * spent / len(waits),
        statistics.fmean(sizes),
    )


async def times(server: Server, count: int) -> None:
    async def one(socket: Any) -> None:
        session = Session(socket, "")
        for _ in range(count):
            await session.rerun()

    await connected(server, 1, one)


async def connected(server: Server, count: int, action: Callable[[Any], Awaitable[None]]) -> None:
    from websockets.asyncio.client import connect

    async def one() -> None:
        url = server.url.replace("http", "ws") + "/_stcore/stream"
        async with connect(url, subprotocols=["streamlit"], max_size=None, compression=None) as socket:
            await action(socket)

    await asyncio.gather(*(one() for _ in range(count)))


def show(name: str, load: Load) -> None:
    print(
        f"{name:<18} {load.a_second:6.1f} reruns/s, {load.milliseconds:.0f} ms p50, "
        f"{load.cpu:.1f} ms CPU and {load.size:,.0f} bytes per rerun"
    )


def navigation(folder: Path, server: Server, browser: str) -> None:
    """Milliseconds from a click in the menu to the whole page, median; beside an app of two empty pages."""
    from playwright.sync_api import sync_playwright

    script = folder / "two.py"
    script.write_text(TWO_PAGES)
    with sync_playwright() as playwright, serving(folder, script=script) as two:
        window = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        bare = clicks(window, two.url, ["First", "Second"], 6)
        ours = clicks(window, server.url, ["Traces", "Datasets", "Runs", "Evaluations", "System"], 3)
        window.close()
    print(
        f"from page to page  {ours:.0f} ms p50 in Chromium; {bare:.0f} ms between two empty pages: {ours / bare:.2f} x"
    )


def clicks(window: Any, url: str, names: list[str], rounds: int) -> float:
    page = window.new_page(viewport={"width": 1440, "height": 900})
    page.goto(url)
    page.wait_for_selector("h1")
    page.wait_for_timeout(2000)
    found = []
    for turn in range(rounds):
        for name in names:
            began = time.perf_counter()
            page.get_by_test_id("stSidebarNavLink").get_by_text(name, exact=True).click()
            page.wait_for_function("name => document.title.startsWith(name)", arg=name)
            page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
            if turn:  # the first time fills the browser's cache
                found.append(1000 * (time.perf_counter() - began))
    page.close()
    return statistics.median(found)


if __name__ == "__main__":
    sys.exit(main())
