"""Format `tunix_sft`: `prompt`, `trace_steps`, `final_answer`, `metadata`, as the export writes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.fields import named_as
from tunixrt_core.rows import from_row
from tunixrt_core.traces import Trace

NAME = "tunix_sft"

_KEYS = frozenset({"prompt", "trace_steps", "final_answer", "metadata"})
_CARRIED = ("system", "reference_answer", "source", "model")
_FIELDS = {"steps": "trace_steps", "meta": "metadata.meta"} | {name: f"metadata.{name}" for name in _CARRIED}


def matches(row: dict[str, Any]) -> bool:
    return "prompt" in row and "trace_steps" in row


def to_trace(row: dict[str, Any], source: str | None) -> Trace:
    """What the metadata carries comes back under its own name; the hash is taken again, the split is dropped."""
    if unknown := sorted(set(row) - _KEYS):
        raise InvalidTrace(unknown[0], "is not a field of this format; put extra values under `metadata`")
    with named_as(_FIELDS):
        trace = from_row(row).trace
    return replace(trace, source=source) if source is not None and trace.source is None else trace
