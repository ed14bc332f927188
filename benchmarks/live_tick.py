"""Cost of a tick of the live Run page: bytes to the browser, server milliseconds.

A long run moves by less than a pixel per tick; in a short one every curve moves at every tick. Both are measured.

python benchmarks/live_tick.py --train-steps 50000 400 --browser /usr/bin/chromium
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
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
from tunixrt_core.training.recorder import RunRecorder  # noqa: E402

BYTES, MILLISECONDS = 10_000, 20.0  # the bars, a tick
NEW = 10  # train steps a tick
TICK = 2.0  # seconds, as of pages/run.py
EVERY = 100  # train steps between evaluations
PEER = """
import random
import streamlit as st

@st.fragment(run_every=2)
def chart():
    points = st.session_state.setdefault("points", [random.random() for _ in range(500)])
    points[:] = [*points[1:], random.random()]
    st.echarts_chart({"xAxis": {}, "yAxis": {}, "series": [{"type": "line", "data": list(enumerate(points))}]}, key="c")

st.title("One chart")
chart()
"""


@dataclass
class Tick:
    """The data sent to the browser from the start of a fragment run to its end."""

    size: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


class Frames:
    """The WebSocket frames of a page, grouped by tick."""

    def __init__(self, page: Any) -> None:
        self.ticks: list[Tick] = []
        self.sent: list[int] = []
        self._open: Tick | None = None
        page.on("websocket", self._follow)

    def _follow(self, socket: Any) -> None:
        socket.on("framereceived", self._received)
        socket.on("framesent", lambda data: self.sent.append(len(data)))

    def _received(self, data: bytes | str) -> None:
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        message = ForwardMsg.FromString(data if isinstance(data, bytes) else data.encode())
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._open = Tick() if message.metadata.run.fragment_ids else None
        if self._open is None:
            return
        self._open.size += len(data)
        self._open.kinds[_name(message)] += len(data)
        if kind == "script_finished":
            self.ticks.append(self._open)
            self._open = None


def _name(message: Any) -> str:
    kind = message.WhichOneof("type")
    if kind != "delta":
        return str(kind)
    if message.delta.WhichOneof("type") == "new_element":
        return f"new {message.delta.new_element.WhichOneof('type')}"
    return str(message.delta.WhichOneof("type"))


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
    parser.add_argument("--detail", action="store_true", help="print the bytes by kind of message")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox", "--disable-gpu"])
        script = Path(folder) / "peer.py"
        script.write_text(PEER)
        with serving(Path(folder), script=script) as server:
            peer = watch(browser, server, "/", options.ticks // 2, None)
        met = [follow(browser, Path(folder), steps, options, peer) for steps in options.train_steps]
        browser.close()
    return 0 if all(met) else 1


def follow(browser: Any, folder: Path, train_steps: int, options: argparse.Namespace, peer: Watched) -> bool:
    home = folder / f"home-{train_steps}"
    run = Growing(home, train_steps)
    with serving(folder, home=home) as server:
        live = watch(browser, server, f"/run?run={run.id}", options.ticks, run)
    run.recorder.close()
    return report(live, peer, train_steps, detail=options.detail)


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


@dataclass
class Watched:
    """A page observed for some ticks."""

    ticks: list[Tick]
    sent: float
    wall: list[float]
    cpu: list[float]
    process_ms: float
    charts: int
    kept: bool


def watch(browser: Any, server: Server, path: str, count: int, run: Growing | None) -> Watched:
    """Open a page, let the run grow between its ticks, and measure each tick."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    frames = Frames(page)
    page.goto(server.url + path)
    page.wait_for_selector("[data-testid=stEChartsChart] canvas", timeout=60_000)
    page.wait_for_timeout(2000 * TICK)
    page.evaluate("document.querySelectorAll('[data-testid=stEChartsChart]').forEach((e, i) => e.bench = i)")
    began, sent, runs, cpu = len(frames.ticks), len(frames.sent), len(server.runs()), server.cpu_seconds
    until = time.monotonic() + count * TICK * 3
    while len(frames.ticks) - began < count and time.monotonic() < until:
        if run is not None:
            run.grow(NEW)
        page.wait_for_timeout(1000 * TICK)
    spent = server.cpu_seconds - cpu
    ticks = frames.ticks[began:]
    kept = page.evaluate(
        "[...document.querySelectorAll('[data-testid=stEChartsChart]')].map((e, i) => e.bench === i && !!e.isConnected)"
    )
    found = [line for line in server.runs()[runs:] if line["fragment"]]
    page.close()
    return Watched(
        ticks,
        statistics.fmean(frames.sent[sent:]),
        [line["wall"] for line in found],
        [line["cpu"] for line in found],
        1000 * spent / max(1, len(ticks)),
        len(kept),
        all(kept),
    )


def report(live: Watched, peer: Watched, train_steps: int, *, detail: bool) -> bool:
    size, most = statistics.median(t.size for t in live.ticks), max(t.size for t in live.ticks)
    plain = statistics.median(t.size for t in peer.ticks)
    cpu, wall = statistics.median(live.cpu), statistics.median(live.wall)
    print(f"{train_steps:,} train steps, {live.charts} charts, {len(live.ticks)} ticks, {NEW} train steps each")
    print(f"bytes per tick         {size:,.0f} median, {most:,} at most (uncompressed; the server does not deflate)")
    print(f"  beside               {plain:,.0f} for a page of one plain chart of 500 points: {size / plain:.2f} x")
    print(f"bytes to the server    {live.sent:,.0f} per message, mean; {peer.sent:,.0f} of the plain page")
    print(f"script run per tick    {cpu:.1f} ms CPU, {wall:.1f} ms wall, median; {max(live.cpu):.1f} ms CPU at most")
    print(f"  beside               {statistics.median(peer.cpu):.1f} ms CPU for the plain page")
    print(f"whole server per tick  {live.process_ms:.1f} ms CPU; {peer.process_ms:.1f} ms for the plain page")
    print(f"chart nodes kept       {live.kept}")
    if detail:
        kinds: Counter[str] = sum((t.kinds for t in live.ticks), Counter())
        for kind, total in kinds.most_common():
            print(f"    {total / len(live.ticks):9,.0f}  {kind}")
        print("  ticks:", [t.size for t in live.ticks])
    met = most <= BYTES and cpu <= MILLISECONDS and live.kept
    print(f"Bars: {BYTES:,} bytes, {MILLISECONDS:.0f} ms, nodes kept: {'met' if met else 'NOT met'}\n")
    return met


if __name__ == "__main__":
    sys.exit(main())
