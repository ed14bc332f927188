"""Lines of the log as JSON objects."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """One object per line: `time` (UTC, ISO 8601), `level`, `logger`, `message`, and `error` with a traceback.

    `clean` removes secrets: such lines are collected and kept by other programs.
    """

    def __init__(self, clean: Callable[[str], str]) -> None:
        super().__init__()
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._clean(record.getMessage()),
        }
        if record.exc_info:
            told["error"] = self._clean(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)
