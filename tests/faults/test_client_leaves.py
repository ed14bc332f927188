"""A client that closes its connection ends the work that it asked for, and no part of it is stored."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app import state
from app.api.application import build_api
from tunixrt_core.errors import Stopped
from tunixrt_core.pipeline.pipeline import Pipeline, open_home

ROWS = b"".join(b'{"question": "%d + 1?", "answer": "one more\\n#### %d"}\n' % (n, n + 1) for n in range(120_000))


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    with open_home(tmp_path / "home") as pipeline:
        state.set_pipeline(pipeline)
        yield pipeline
        state.set_pipeline(None)


@pytest.fixture
def port(rt: Pipeline) -> Iterator[int]:
    """A real server of the API in this process, so that the test sees how its work ends."""
    server = uvicorn.Server(uvicorn.Config(build_api(100), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.02)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join(30)


@pytest.mark.parametrize(("address", "work"), [("batch", "ingest"), ("doctor", "diagnose")])
def test_an_upload_whose_client_left_is_not_read_on(
    rt: Pipeline, port: int, address: str, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(rt.traces, work)
    begun = threading.Event()
    ends: queue.Queue[object] = queue.Queue()

    def observed(*arguments: Any, **words: Any) -> Any:
        told = words["on_progress"]

        def progress(now: object) -> None:
            begun.set()
            told(now)

        try:
            ends.put(real(*arguments, **{**words, "on_progress": progress}))
        except Stopped as error:
            ends.put(error)
            raise

    monkeypatch.setattr(rt.traces, work, observed)
    head = f"POST /traces/{address} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"{head}Content-Length: {len(ROWS)}\r\n\r\n".encode() + ROWS)
        assert begun.wait(60)
    assert isinstance(ends.get(timeout=60), Stopped)
    assert rt.traces.count() == 0
    assert rt.store.check().problems == ()


def test_a_client_that_waits_gets_its_report(rt: Pipeline, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        body = ROWS[: ROWS.index(b"\n", 20_000) + 1]
        head = "POST /traces/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert rt.traces.count() == body.count(b"\n")
