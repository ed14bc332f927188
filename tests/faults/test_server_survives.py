"""The server lives through a closed terminal, a stuck request, a planted error and a kill, and says what happened."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.servers import HASTY, START_SECONDS, Server, get, start_server
from tests.pipeline.test_pipeline import manifest_of, open_with
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.settings import Settings

PLANTED = """
import time
from app.api.routes import queue

@queue.router.get("/planted")
def planted():
    raise ZeroDivisionError("a planted error")

@queue.router.get("/stuck")
def stuck():
    time.sleep(3600)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    script = tmp_path / "planted.py"
    script.write_text(PLANTED + HASTY)
    started = start_server(tmp_path / "home", program=("-c", f"exec(open({str(script)!r}).read())"))
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.process.wait()


def raw(server: Server, target: str, seconds: float = START_SECONDS) -> str:
    """The answer to a request as it is on the wire, until the connection closes."""
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        connection.sendall(request.encode())
        found = b""
        while block := connection.recv(65536):
            found += block
    return found.decode()


@pytest.mark.slow
def test_a_server_outlives_its_terminal_and_ends_although_a_request_is_stuck(server: Server) -> None:
    answer = raw(server, "/api/queue/planted")
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 500")
    assert "connection: close" in head.lower(), "a client that keeps connections knows that this one ends"
    assert '"code":"internal"' in body
    assert "a planted error" in server.log.read_text(), "the traceback is on standard error"
    for target in ("/api/../x", "/api/runs/%2e%2e/%2e%2e/x"):
        answer = _first_bytes(server, target)
        assert '"code": "not_found"' in answer
    server.process.send_signal(signal.SIGHUP)
    threading.Thread(target=_ask_what_is_stuck, args=(server,), daemon=True).start()
    time.sleep(1)
    assert get(f"{server.url}/healthz").status_code == 200
    code, _ = server.end(within=45)
    assert code == 0


def _first_bytes(server: Server, target: str) -> str:
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=START_SECONDS) as connection:
        connection.sendall(request.encode())
        time.sleep(0.3)
        return connection.recv(65536).decode()


def _ask_what_is_stuck(server: Server) -> None:
    with suppress(OSError):
        raw(server, "/api/queue/stuck")


def test_runs_that_waited_when_the_server_was_killed_are_queued_again_in_their_order(tmp_path: Path) -> None:
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")})
    backend = FakeBackend(step_seconds=0.02)
    with open_with(settings, backend) as rt:
        first = rt.runs.start(manifest_of(rt, train_steps=5_000))
        waiting = [
            rt.runs.start(rt.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": 3})) for _ in range(3)
        ]
        while rt.runs.state(first.id).train_step < 1:
            time.sleep(0.02)
        kept = {}
        for run in (first, *waiting):
            folder = RunDir(Path(run.directory))
            # what a killed process leaves: its name in the states, and no process alive
            kept[run.id] = replace(folder.state(), owner="999999999:1:gone"), folder.queued_file.exists()
        assert [there for _, there in kept.values()] == [False, True, True, True]
        left = {run.id: (RunDir(Path(run.directory)), kept[run.id][0]) for run in (first, *waiting)}
        rt.runs.stop(first.id)
        rt.jobs.close()
    for number, (folder, state) in enumerate(left.values()):
        folder.write_state(state)
        if folder.path.name != first.id:
            folder.queued_file.write_text('{"allow": []}')
            os.utime(folder.queued_file, (1_700_000_000 - number, 1_700_000_000 - number))
    with open_with(settings, backend) as rt:
        assert {run.status for run in rt.runs.page().items} == {RunStatus.INTERRUPTED}
        assert "queues it again" in rt.runs.get(waiting[0].id).message
        backend.trained.clear()
        again = rt.queue_again()
        assert again == [run.id for run in reversed(waiting)], "the order of the queue"
        assert rt.queue.wait(30)
        assert backend.trained == [run.id for run in reversed(waiting)]
        assert rt.runs.get(first.id).status is RunStatus.INTERRUPTED, "one that had begun is resumed by its user"
        assert rt.queue_again() == []
