"""Structured logs: each line is an object, with its traceback and without secrets."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime

from app.operators.json_log import JsonLines


def clean(text: str) -> str:
    return text.replace("hunter2", "(removed)")


def test_a_line_is_an_object_with_the_values_put_in() -> None:
    record = logging.LogRecord("app.server", logging.WARNING, __file__, 1, "took %s s\nof %s", (3, "hunter2"), None)
    line = JsonLines(clean).format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert (told["level"], told["logger"]) == ("WARNING", "app.server")
    assert told["message"] == "took 3 s\nof (removed)"
    assert datetime.fromisoformat(told["time"]).utcoffset() is not None
    assert "error" not in told


def test_an_error_keeps_its_traceback_without_secrets() -> None:
    try:
        raise ValueError("hunter2")
    except ValueError:
        record = logging.LogRecord("app", logging.ERROR, __file__, 1, "failed", None, sys.exc_info())
    told = json.loads(JsonLines(clean).format(record))
    assert told["error"].startswith("Traceback")
    assert "ValueError: (removed)" in told["error"]
