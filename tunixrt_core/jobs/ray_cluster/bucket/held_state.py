"""The state of a job that is over here, while what it wrote is still under way."""

from __future__ import annotations

import time
from typing import Any

import orjson

from tunixrt_core.runs.record import RunStatus


def read_state(data: bytes) -> dict[str, Any]:
    """The object in a `state.json`; empty for a file that holds none."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def is_over(data: bytes) -> bool:
    """Whether a `state.json` says that the work has ended."""
    status = read_state(data).get("status")
    return status in tuple(RunStatus) and RunStatus(status).over


def still_alive(before: bytes) -> bytes:
    """The last state before the end, with a sign of life of now: nobody is told of an end before its checkpoint."""
    return orjson.dumps({**read_state(before), "updated_at": time.time()}, option=orjson.OPT_INDENT_2) + b"\n"
