"""Messages of a run to an address of the user: its alerts and its end."""

from __future__ import annotations

import logging
import queue
import threading
import urllib.error
import urllib.request
from typing import Any

import orjson

from tunixrt_core.runs.metrics import Alert, Known, TrainPlan
from tunixrt_core.runs.record import RunState

log = logging.getLogger(__name__)

_SECONDS = 10.0  # that an answer may take, and that the end of a run waits for the last message
_END_WORDS = {"succeeded": "finished", "stopped": "was stopped", "failed": "failed", "interrupted": "was interrupted"}


class Webhook:
    """Posts JSON to an address. `text` is a sentence, as chat services take it; the rest is for programs.

    A message is sent by a thread of its own, so no training waits for it; one that cannot be delivered is a line in the
    log of the server. The address is a secret of many services and is written nowhere. A metric sink for the alerts.
    """

    def __init__(self, url: str, run_id: str, name: str) -> None:
        self._url = url
        self._about = {"run": run_id, "name": name}
        self._waiting: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._send_all, name="tunixrt-webhook", daemon=True)
        self._sender.start()

    def plan(self, plan: TrainPlan) -> None:
        """A plan is no message."""

    def record(self, record: Known) -> None:
        """An alert is a message."""
        if isinstance(record, Alert):
            what = record.alert.replace("_", " ")
            text = f"{self._title}: {what} at train step {record.train_step:,}. {record.evidence}"
            self._put("alert", text, alert=record.alert, train_step=record.train_step, evidence=record.evidence)

    def close(self) -> None:
        """More follows: the end."""

    def ended(self, state: RunState) -> None:
        """The last message; waits some seconds until it is sent."""
        words = _END_WORDS.get(state.status.value, state.status.value)
        why = f" {state.message}" if state.message else ""
        text = f"{self._title} {words} at train step {state.train_step:,} of {state.total_train_steps:,}.{why}"
        self._put("ended", text, status=state.status.value, message=state.message, train_step=state.train_step)
        self._waiting.put(None)
        self._sender.join(_SECONDS)

    @property
    def _title(self) -> str:
        return f"{self._about['run']} {self._about['name']}"

    def _put(self, event: str, text: str, **more: Any) -> None:
        self._waiting.put({"text": text, "event": event, **self._about, **more})

    def _send_all(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                _post(self._url, message)
            except (OSError, ValueError) as error:
                why = error.code if isinstance(error, urllib.error.HTTPError) else type(error).__name__
                log.warning("A message of %s was not delivered to the webhook: %s.", self._about["run"], why)


def _post(url: str, message: dict[str, Any]) -> None:
    """Raises OSError where it is not delivered: no connection, no answer in time, a status from 400 on."""
    request = urllib.request.Request(
        url, orjson.dumps(message), {"content-type": "application/json", "user-agent": "tunix-rt"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
        answer.read(1024)
