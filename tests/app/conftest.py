"""A real server in a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import REPOSITORY


@dataclass
class Server:
    """A running `python -m app`, and the address that it printed."""

    process: subprocess.Popen[str]
    port: int
    home: Path
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
        _, stderr = self.process.communicate(timeout=within)
        return self.process.returncode, stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def start_server(home: Path, *options: str) -> Server:
    """Start it and wait until it is healthy."""
    port = free_port()
    command = [sys.executable, "-m", "app", "--port", str(port), "--home", str(home), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    server = Server(process, port, home)
    for _ in range(600):
        try:
            if httpx.get(f"{server.url}/healthz", timeout=5).status_code == 200:
                break
        except httpx.TransportError:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
    assert process.stdout is not None
    server.greeting = process.stdout.readline()
    return server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with the gate on, for tests that leave it running."""
    started = start_server(tmp_path_factory.mktemp("server") / "home")
    yield started
    if started.process.poll() is None:
        started.end()
