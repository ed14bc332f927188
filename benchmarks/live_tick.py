"""Cost of a tick of the live Run page: bytes to the browser, milliseconds of server and browser.

A long run moves by less than a pixel per tick; in a short one every curve moves at every tick. Both are measured.

python benchmarks/live_tick.py --train-steps 50000 400 --browser /usr/bin/chromium
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.metrics_io import records  # noqa: E402
from benchmarks.pages_serving import Server, serving  # noqa: E402
from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest  # noqa: E402
from tunixrt_core.runs.folder import RunDir  # noqa: E402
from tunixrt_core.runs.metrics import CheckpointMetric, EvalMetric, SamplesMetric  # noqa: E402
from tunixrt_core.training.recording.recorder import RunRecorder  # noqa: E402

BYTES, SERVER_MS, BROWSER_MS = 2_000, 10.0, 20.0  # the bars, a tick
NEW = 2  # train steps a tick
TICK = 1.0  # seconds, as of app/component/src/charts/feed.ts
EVERY = 100  # train steps between evaluations
PEER = """
import random
import streamlit as st

@st.fragment(run_every=1)
def chart():
    points = st.session_state.setdefault("points", [random.random() for _ in range(500)])
    points[:] = [*points[1:], random.random()]
    st.echarts_chart({"xAxis": {}, "yAxis": {}, "series": [{"type": "line", "data": list(enumerate(points))}]}, key="c")

st.title("One chart")
chart()
"""


class Received:
    """Bytes that a page receives: frames of its WebSocket, and answers of the route, as they come over the network."""

    def __init__(self, page: Any) -> None:
        self.frames = 0
        self.answers: list[int] = []
        page.on("websocket", lambda socket: socket.on("framereceived", self._frame))
        page.on("requestfinished", self._answer)

    def _frame(self, data: bytes | str) -> None:
        self.frames += len(data)

    def _answer(self, request: Any) -> None:
        if "/api/runs/series" in request.url:
            sizes = request.sizes()
            self.answers.append(sizes["responseBodySize"] + sizes["responseHeadersSize"])


@dataclass
class Watched:
    """A page observed for some ticks: per tick, bytes and milliseconds."""

    ticks: int
    frames: float
    answers: list[int]
    server_ms: float
    browser_ms: float
    charts: int
    kept: bool


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--train-steps",
        type=int,
        nargs="+",
        default=[50_000, 400],
        help="train steps of each run before its page is opened",
    )
    parser.add_argument("--ticks", type=int, default=20)
    parser.add_argument("--browser", metavar="PATH", default="/usr/bin/chromium")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox", "--disable-gpu"])
        script = Path(folder) / "peer.py"
        script.write_text(PEER)
        with serving(Path(folder), script=script, timed=False) as server:
            peer = watch(browser, server, "/", options.ticks // 2, None)
        met = [follow(browser, Path(folder), steps, options, peer) for steps in options.train_steps]
        browser.close()
    return 0 if all(met) else 1


def follow(browser: Any, folder: Path, train_steps: int, options: argparse.Namespace, peer: Watched) -> bool:
    home = folder / f"home-{train_steps}"
    run = Growing(home, train_steps)
    with serving(folder, home=home, timed=False) as server:
        live = watch(browser, server, f"/run?run={run.id}", options.ticks, run)
    run.recorder.close()
    return report(live, peer, train_steps)


class Growing:
    """A run in training, simulated through its folder."""

    def __init__(self, home: Path, train_steps: int) -> None:
        folder = RunDir(home / "runs" / "r-0001")
        folder.create()
        manifest = make_manifest(folder.path, 2 * train_steps)
        folder.manifest_file.write_text(manifest.to_yaml(), encoding="utf-8")
        self.id = folder.path.name
        self.recorder = RunRecorder(folder)
        self.recorder.phase("loading")
        self.recorder.plan({"total_train_steps": 2 * train_steps, "restored_train_step": 0, "device": "1 x CPU"})
        self.recorder.phase("training")
        self.step = 0
        self.grow(train_steps)

    def grow(self, count: int) -> None:
        for record in records(self.step + 1, self.step + count):
            self.recorder.record(record)
            step = record.train_step
            if step % EVERY == 0:
                self.recorder.record(EvalMetric(train_step=step, loss=record.loss, perplexity=7.0))
                self.recorder.record(_samples(step))
            if step % (10 * EVERY) == 0:
                self.recorder.record(CheckpointMetric(train_step=step, reason="cadence", seconds=0.1))
        self.step += count


def _samples(step: int) -> SamplesMetric:
    shares = {"exact_match": step % 7 / 7, "format_valid": 1.0, "repetition": 0.0, "hit_limit": 0.0}
    return SamplesMetric(train_step=step, mean_tokens=80.0 + step % 9, rows=4, **shares)


def make_manifest(folder: Path, train_steps: int) -> RunManifest:
    data = folder / "data.jsonl"
    row = {"prompt": "2 + 2?", "trace_steps": ["2 and 2 is 4"], "final_answer": "4", "metadata": {"split": "train"}}
    data.write_bytes(orjson.dumps(row) + b"\n")
    return RunManifest.from_dict(build_sft_manifest(data, "tiny", folder, {"train_steps": train_steps}))


def watch(browser: Any, server: Server, path: str, count: int, run: Growing | None) -> Watched:
    """Open a page, let the run grow between its ticks, and measure each tick."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    received = Received(page)
    page.goto(server.url + path)
    page.locator("[data-testid=stEChartsChart] canvas, .card canvas").first.wait_for(timeout=60_000)
    page.wait_for_timeout(4000)
    canvases = page.locator("[data-testid=stEChartsChart] canvas, .card canvas")
    canvases.evaluate_all("all => all.forEach((canvas, i) => { canvas.bench = i })")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})  # other programs do not count
    idle = server.cpu_seconds, busy_seconds(devtools), received.frames, len(received.answers)
    for _ in range(count):
        if run is not None:
            run.grow(NEW)
        page.wait_for_timeout(1000 * TICK)
    spent, busy = server.cpu_seconds - idle[0], busy_seconds(devtools) - idle[1]
    answers = received.answers[idle[3] :]
    kept = canvases.evaluate_all("all => all.map((canvas, i) => canvas.bench === i)")
    page.close()
    ticks = len(answers) or count
    frames = (received.frames - idle[2]) / ticks
    return Watched(ticks, frames, answers, 1000 * spent / ticks, 1000 * busy / ticks, len(kept), all(kept))


def busy_seconds(devtools: Any) -> float:
    """CPU seconds of the page's main thread: scripts, styles, layout and drawing."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def report(live: Watched, peer: Watched, train_steps: int) -> bool:
    size, most = statistics.median(live.answers), max(live.answers)
    print(f"{train_steps:,} train steps, {live.charts} charts, {live.ticks} ticks, {NEW} train steps each")
    print(f"bytes per tick         {size:,.0f} median, {most:,} at most, headers included")
    print(f"  by WebSocket         {live.frames:,.0f}")
    print(f"  beside               {peer.frames:,.0f} for a page of one plain chart of 500 points")
    print(f"whole server per tick  {live.server_ms:.1f} ms CPU; {peer.server_ms:.1f} ms for the plain page")
    print(f"browser per tick       {live.browser_ms:.1f} ms CPU of its main thread; {peer.browser_ms:.1f} ms")
    print(f"chart nodes kept       {live.kept}")
    met = size <= BYTES and live.server_ms <= SERVER_MS and live.browser_ms <= BROWSER_MS and live.kept
    print(
        f"Bars: {BYTES:,} bytes, {SERVER_MS:.0f} ms, {BROWSER_MS:.0f} ms, nodes kept: {'met' if met else 'NOT met'}\n"
    )
    return met


if __name__ == "__main__":
    sys.exit(main())
