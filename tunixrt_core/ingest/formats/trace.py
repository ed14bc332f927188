"""Format `trace`: Tunix RT's own form, which keeps everything and gives back the same hash."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tunixrt_core.traces import Trace

NAME = "trace"


def matches(row: dict[str, Any]) -> bool:
    return "prompt" in row and "steps" in row


def to_trace(row: dict[str, Any], source: str | None) -> Trace:
    """The trace as it was written. A source given here is used where the row names none."""
    trace = Trace.from_dict(row)
    return replace(trace, source=source) if source is not None and trace.source is None else trace
