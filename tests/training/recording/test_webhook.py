"""A run tells its alerts and its end to an address, and never waits or fails for it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import fake_home
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import InvalidSettings
from tunixrt_core.runs.metrics import Alert
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.training.recording.webhook import Webhook


class Receiver(HTTPServer):
    """A real server on a free port, which keeps what it gets."""

    def __init__(self, status: int = 204) -> None:
        self.got: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:  # noqa: N805
                body = handler.rfile.read(int(handler.headers["content-length"]))
                self.got.append(json.loads(body))
                handler.send_response(status)
                handler.end_headers()

            def log_message(handler, *values: Any) -> None:  # noqa: N805
                """Quiet."""

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/secret-path"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.shutdown()


def test_an_alert_and_the_end_are_sentences_with_their_parts(receiver: Receiver) -> None:
    hook = Webhook(receiver.url, "r-0007", "mine")
    hook.record(Alert(train_step=1200, alert="loss_spike", evidence="The loss rose from 1 to 9."))
    hook.ended(RunState(status=RunStatus.SUCCEEDED, train_step=1500, total_train_steps=1500))
    alert, end = receiver.got
    assert alert["text"] == "r-0007 mine: loss spike at train step 1,200. The loss rose from 1 to 9."
    assert (alert["event"], alert["alert"], alert["run"]) == ("alert", "loss_spike", "r-0007")
    assert end["text"] == "r-0007 mine finished at train step 1,500 of 1,500."
    assert (end["event"], end["status"]) == ("ended", "succeeded")


def test_a_run_of_the_queue_tells_its_end(receiver: Receiver, tmp_path: Path) -> None:
    with fake_home(tmp_path / "home", FakeBackend(step_seconds=0.001), TUNIXRT_WEBHOOK=receiver.url) as rt:
        rt.traces.ingest_examples(30)
        rt.datasets.build(DatasetSpec("mine"))
        run = rt.runs.start(rt.manifests.build("mine", model_id="tiny"))
        assert rt.queue.wait(60)
    assert [(one["event"], one["run"], one["status"]) for one in receiver.got] == [("ended", run.id, "succeeded")]


@pytest.mark.parametrize("status", [500, None])
def test_what_cannot_be_delivered_is_a_line_without_the_address(
    status: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    server = Receiver(status or 204)
    url = server.url
    if status is None:
        server.shutdown()
        server.server_close()
    with caplog.at_level(logging.WARNING):
        Webhook(url, "r-0007", "mine").ended(RunState(status=RunStatus.FAILED))
    assert "A message of r-0007 was not delivered to the webhook" in caplog.text
    assert "secret-path" not in caplog.text
    if status is not None:
        server.shutdown()


@pytest.mark.parametrize("value", ["file:///etc/passwd", "hooks.example.com/x", "https://"])
def test_an_address_that_is_none_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(InvalidSettings, match="TUNIXRT_WEBHOOK") as caught:
        Settings.from_env({"TUNIXRT_WEBHOOK": value})
    assert value not in str(caught.value)
