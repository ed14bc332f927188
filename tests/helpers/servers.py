"""A real server in a process of its own, ended by its own process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import REPOSITORY

START_SECONDS = 60
# `python -m app` that waits half a second for what is open when it ends, not five
HASTY = """
import sys
from app.server import server

server.GRACE_SECONDS = 0.5
from app.__main__ import main

sys.exit(main())
"""


@dataclass
class Server:
    """A running `python -m app`, and the address that it printed. What it writes to stderr is in `log`."""

    process: subprocess.Popen[str]
    port: int
    home: Path
    log: Path
    greeting: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return self.greeting.partition("?token=")[2].strip()

    def end(self, number: int = signal.SIGTERM, within: float = 15) -> tuple[int, str]:
        """Send a signal. The exit code, and what it wrote to stderr."""
        self.process.send_signal(number)
        self.process.communicate(timeout=within)
        return self.process.returncode, self.log.read_text(encoding="utf-8")


def get(url: str, **options: Any) -> httpx.Response:
    """A GET that waits as long as a start may take: the first request under /api builds the API."""
    return httpx.get(url, timeout=START_SECONDS, **options)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def start_server(
    home: Path,
    *options: str,
    program: Sequence[str] = ("-m", "app"),
    packages: Path | None = None,
    port: int | None = None,
) -> Server:
    """Start it and wait until it is healthy. `program` is what Python runs: of the checkout, or of `packages`."""
    port = port or free_port()
    command = [sys.executable, *program, "--port", str(port), "--home", str(home), *options]
    environ = {**os.environ, "PYTHONPATH": str(packages)} if packages else None
    home.parent.mkdir(parents=True, exist_ok=True)
    # a file, as nobody reads a pipe while it runs
    log = home.parent / f"{home.name}-{port}.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=packages or REPOSITORY, env=environ
        )
    server = Server(process, port, home, log)
    until = time.monotonic() + START_SECONDS
    while not _is_healthy(server):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, f"the server did not become healthy within {START_SECONDS} s"
        time.sleep(0.05)
    assert process.stdout is not None
    server.greeting = process.stdout.readline()
    return server


@contextmanager
def serving(home: Path, *options: str) -> Iterator[Server]:
    """A server for the time of the block, and until it has ended. Its log must hold no traceback."""
    server = start_server(home, *options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end(within=60)
    log = server.log.read_text(encoding="utf-8")
    assert "most recent call last" not in log, log


def _is_healthy(server: Server) -> bool:
    try:
        return httpx.get(f"{server.url}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
