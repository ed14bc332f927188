"""The server under load: 50 sessions beside a training, memory after thousands of reruns, status requests, 1 GB files.

python benchmarks/load.py training servers memory status transfer
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.page_reruns import Session, connected  # noqa: E402
from benchmarks.pages_serving import Server, serving  # noqa: E402
from tunixrt_core.datasets.spec import DatasetSpec  # noqa: E402
from tunixrt_core.pipeline.pipeline import open_pipeline  # noqa: E402
from tunixrt_core.settings import Settings  # noqa: E402

SESSIONS, IMPORTED, WINDOW = 50, 100_000, 20.0
RERUNS, VISITS = 10_000, 500
FORGOTTEN = 125.0  # seconds after which a session that left is forgotten
CLIENTS, REQUESTS = 50, 4_000
GIGABYTE = 1_000_000_000
STEP_TIME, RERUN_P95, GROWTH, REQUEST_SHARE, MEMORY = 1.05, 1.0, 0.05, 0.5, 200.0  # the bars
LOOK = 1.0  # seconds between two looks of a page at its run
EVERY = 5.0  # seconds between two reruns of a session
BARE = """
import sys
import uvicorn
from fastapi import FastAPI
app = FastAPI()

@app.get("/status")
def status() -> dict[str, object]:
    return {"status": "running", "train_step": 7, "total_train_steps": 100}

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
"""
HOG = """
import time
while True:
    until = time.process_time() + {share} * 0.01
    while time.process_time() < until:
        pass
    time.sleep({rest} * 0.01)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], *MEASURES], default=[*MEASURES])
    options = parser.parse_args()
    met = True
    for name in options.what:
        with tempfile.TemporaryDirectory() as folder:
            met = MEASURES[name](Path(folder)) and met
    return 0 if met else 1


def training(folder: Path) -> bool:
    """Time of a train step with 50 sessions and an import beside it, and of the sessions' reruns."""
    with serving(folder, home=filled(folder / "home"), timed=False) as server:
        return watched(folder / "home", server, server)


def servers(folder: Path) -> bool:
    """As `training`, with the sessions and the import at a second server of the home."""
    home = filled(folder / "home")
    with serving(folder, home=home, timed=False) as worker, serving(folder, home=home, timed=False) as viewer:
        return watched(home, worker, viewer)


def watched(home: Path, worker: Server, viewer: Server) -> bool:
    run = start_run(worker)
    metrics = home / "runs" / run / "metrics.jsonl"
    while train_steps(metrics) < 500:  # compiled, and the caches are warm
        time.sleep(0.5)
    both = {worker.process.pid: worker, viewer.process.pid: viewer}.values()
    alone = [step_time(metrics)]
    waits: list[float] = []
    cpu, own, began = sum(each.cpu_seconds for each in both), time.process_time(), time.perf_counter()
    busy = asyncio.run(crowd(viewer, run, metrics, waits))
    passed = time.perf_counter() - began
    clients = (time.process_time() - own) / passed  # the 50 sessions themselves are on this machine too
    served = (sum(each.cpu_seconds for each in both) - cpu) / passed
    alone.append(step_time(metrics))
    # a train step takes the CPU that it always takes, and there are fewer of them: the rest is what the sessions took
    trained = sum(share_of(each) for each in both) * statistics.median(alone) / busy
    sessions = max(served - trained, 0.0)
    with hogs(sessions), hogs(clients):
        limit = step_time(metrics)
    alone.append(step_time(metrics))
    quiet = statistics.median(alone)
    p95 = statistics.quantiles(waits, n=20)[-1]
    print(f"train step        {1000 * quiet:.1f} ms alone; {1000 * busy:.1f} ms in the crowd: {busy / quiet:.2f} x")
    print(f"  the machine     {limit / quiet:.2f} x beside other processes that take as much of the CPU:")
    print(f"                  {sessions:.2f} of a core, as the sessions, and {clients:.2f}, as their clients")
    print(f"rerun             {statistics.median(waits):.2f} s p50, {p95:.2f} s p95 of {len(waits)}")
    return busy / quiet <= STEP_TIME and p95 <= RERUN_P95


def memory(folder: Path) -> bool:
    """Resident memory after 10,000 reruns and 500 sessions, against that after a tenth of them."""
    with serving(folder, home=filled(folder / "home"), timed=False) as server:
        before = resident(server, VISITS // 10, RERUNS // 10)
        after = resident(server, VISITS, RERUNS)
    print(f"memory            {before:.0f} MB after {RERUNS // 10:,} reruns and {VISITS // 10} sessions")
    print(f"  then            {after:.0f} MB after {RERUNS:,} and {VISITS} more: {after / before - 1:+.1%}")
    return after / before - 1 <= GROWTH


def resident(server: Server, sessions: int, reruns: int) -> float:
    """Megabytes after these visits, once Streamlit has forgotten the sessions: it keeps up to 128 of them for a browser
    that comes back, and lets those go that left two minutes ago when another one leaves.
    """
    asyncio.run(visits(server, sessions, reruns))
    time.sleep(FORGOTTEN)
    asyncio.run(visits(server, 10, 10))
    return server.megabytes


def status(folder: Path) -> bool:
    """Requests per second for the status of a run, by 50 clients, beside a bare FastAPI route."""
    home = filled(folder / "home")
    with serving(folder, home=home, timed=False) as server, bare(folder) as peer:
        run = finished_run(server)
        ours, theirs = f"/api/runs/{run}", "/status"
        rates: dict[str, list[float]] = {ours: [], theirs: []}
        for _ in range(3):
            rates[ours].append(asyncio.run(requests(server.url, ours)))
            rates[theirs].append(asyncio.run(requests(peer, theirs)))
    a_second, beside = statistics.median(rates[ours]), statistics.median(rates[theirs])
    print(f"status            {a_second:,.0f} requests/s; a bare route {beside:,.0f}: {a_second / beside:.2f} x")
    return a_second >= 1000 or a_second / beside >= REQUEST_SHARE


def transfer(folder: Path) -> bool:
    """Peak memory of the server while 1 GB is uploaded and imported, and while it is downloaded as an export."""
    os.environ["TUNIXRT_MAX_UPLOAD_MB"] = "1100"
    with serving(folder, home=filled(folder / "home"), timed=False) as server:
        client = httpx.Client(base_url=server.url, timeout=3600)
        client.get("/api/queue")  # the API is built at the first request
        up = peak(server, lambda: sent(client))
        client.post("/api/datasets", json={"name": "large", "source": "large", "eval_share": 0.0}).raise_for_status()
        down = peak(server, lambda: received(client))
    print(f"upload of 1 GB    {up:+.0f} MB at the peak")
    print(f"download of it    {down:+.0f} MB at the peak")
    return max(up, down) <= MEMORY


MEASURES = {"training": training, "servers": servers, "memory": memory, "status": status, "transfer": transfer}


def filled(home: Path) -> Path:
    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(home)})) as rt:
        rt.traces.ingest_examples(500)
        rt.datasets.build(DatasetSpec("examples"))
    return home


def start_run(server: Server, train_steps: int = 100_000) -> str:
    body = {
        "dataset": "examples",
        "model_id": "tiny",
        "hyperparameters": {"train_steps": train_steps, "eval_every": train_steps, "checkpoint_every": train_steps},
    }
    with httpx.Client(base_url=server.url, timeout=120) as client:
        manifest = client.post("/api/tunix/sft/manifest", json=body).raise_for_status().json()["manifest"]
        started = client.post("/api/runs", json={"manifest": manifest})
        if started.is_error:
            raise SystemExit(started.text)
        return str(started.json()["id"])


def finished_run(server: Server) -> str:
    run = start_run(server, 20)
    with httpx.Client(base_url=server.url, timeout=120) as client:
        while client.get(f"/api/runs/{run}").raise_for_status().json()["status"] not in ("succeeded", "failed"):
            time.sleep(0.5)
    return run


def train_steps(metrics: Path) -> int:
    return metrics.read_bytes().count(b'"kind":"train"') if metrics.exists() else 0


def step_time(metrics: Path, seconds: float = WINDOW) -> float:
    """Seconds per train step, over a while."""
    before, began = train_steps(metrics), time.perf_counter()
    time.sleep(seconds)
    return (time.perf_counter() - began) / (train_steps(metrics) - before)


def share_of(server: Server) -> float:
    cpu, began = server.cpu_seconds, time.perf_counter()
    time.sleep(WINDOW / 2)
    return (server.cpu_seconds - cpu) / (time.perf_counter() - began)


async def crowd(server: Server, run: str, metrics: Path, waits: list[float]) -> float:
    """Seconds per train step while 50 sessions watch the run and 100,000 traces are imported."""
    ready = 0
    over = asyncio.Event()

    async def watch(socket: Any) -> None:
        nonlocal ready
        session = Session(socket, f"run?run={run}")
        await session.rerun()
        ready += 1
        look = asyncio.create_task(looks(server, run, over))
        while not over.is_set():
            began = time.perf_counter()
            await session.rerun()
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(max(0.0, EVERY - waits[-1]))
        await look

    async def measured() -> float:
        while ready < SESSIONS:
            await asyncio.sleep(0.1)
        waits.clear()
        before, began = train_steps(metrics), time.perf_counter()
        async with httpx.AsyncClient(base_url=server.url, timeout=600) as client:
            headers = {"content-type": "application/x-ndjson"}
            answer = await client.post("/api/traces/batch?source=load", content=rows(IMPORTED), headers=headers)
            assert answer.json()["inserted"] == IMPORTED, answer.text
        await asyncio.sleep(max(0.0, WINDOW - (time.perf_counter() - began)))
        found = (time.perf_counter() - began) / (train_steps(metrics) - before)
        over.set()
        return found

    _, found = await asyncio.gather(connected(server, SESSIONS, watch), measured())
    return found


async def looks(server: Server, run: str, over: asyncio.Event) -> None:
    """What the charts of an open page ask for."""
    asked: dict[str, str] = {"run": run, "tiles": "true"}
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        while not over.is_set():
            answer = (await client.get("/api/runs/series", params=asked)).raise_for_status().json()
            asked = {"next": answer["series"][0]["next"], "tiles": "true"}
            await asyncio.sleep(LOOK)


async def visits(server: Server, sessions: int, reruns: int) -> None:
    """Sessions that come, rerun a page and go, ten at a time."""

    async def visit(socket: Any) -> None:
        session = Session(socket, "traces")
        for _ in range(reruns // sessions):
            await session.rerun()

    for _ in range(sessions // 10):
        await connected(server, 10, visit)


async def requests(url: str, path: str) -> float:
    """Requests per second of 50 clients with a connection each, which say no more than they must."""
    host, _, port = url.removeprefix("http://").partition(":")
    ask = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()

    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(REQUESTS // CLIENTS):
            writer.write(ask)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return REQUESTS / (time.perf_counter() - began)


@contextmanager
def bare(folder: Path) -> Iterator[str]:
    import socket

    script = folder / "bare.py"
    script.write_text(BARE)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, script, str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                httpx.get(f"{url}/status").raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def hogs(share: float) -> Iterator[None]:
    """Other processes that together take this share of a core."""
    shares = [1.0] * int(share) + [share % 1]
    commands = [HOG.format(share=each, rest=1 - each) for each in shares]
    processes = [subprocess.Popen([sys.executable, "-c", command]) for command in commands]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def peak(server: Server, act: Any) -> float:
    """Megabytes that the server's resident memory rises by, at its peak."""
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
    before = server.megabytes
    act()
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6 - before


def rows(count: int, size: int = 0) -> Any:
    """JSON Lines of traces, in pieces; each with as many letters more as `size`."""

    async def pieces() -> Any:
        for piece in packed(count, size):
            yield piece

    return pieces()


def packed(count: int, size: int) -> Iterator[bytes]:
    lines = []
    for n in range(count):
        steps = [f"{n} and {k} is {n + k}." + " more" * (size // 10) for k in range(2)]
        lines.append(orjson.dumps({"prompt": f"What is {n}?", "steps": steps, "final_answer": str(n)}))
        if len(lines) == 100:
            yield b"\n".join(lines) + b"\n"
            lines.clear()


def sent(client: httpx.Client) -> None:
    headers = {"content-type": "application/x-ndjson"}
    url = "/api/traces/batch?source=large"
    client.post(url, content=packed(GIGABYTE // 10_000, 9_900), headers=headers).raise_for_status()


def received(client: httpx.Client) -> None:
    size = 0
    with client.stream("GET", "/api/datasets/large/1/export.jsonl") as answer:
        answer.raise_for_status()
        for piece in answer.iter_bytes():
            size += len(piece)
    assert size > GIGABYTE * 0.9, size


if __name__ == "__main__":
    sys.exit(main())
