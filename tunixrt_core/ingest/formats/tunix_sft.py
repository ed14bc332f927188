"""Format `tunix_sft`: `prompt`, `trace_steps`, `final_answer`, `metadata`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import Item, Options, labelled, named_as, object_in, scored
from tunixrt_core.traces.rows import from_row

NAME = "tunix_sft"

_FIELDS = {
    "prompt": "prompt",
    "trace_steps": "steps",
    "final_answer": "final_answer",
    "metadata": "meta, source, model, …",
    "metadata.reference_answer": "reference_answer",
}
_COLUMNS = frozenset({"prompt", "trace_steps", "final_answer", "metadata"})
_OPTIONAL_FIELDS = ("system", "reference_answer", "source", "model")
_NAMES = {"steps": "trace_steps", "meta": "metadata.meta"} | {name: f"metadata.{name}" for name in _OPTIONAL_FIELDS}


def matches(row: Mapping[str, Any]) -> bool:
    return "prompt" in row and "trace_steps" in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """What the metadata carries comes back under its own name; the hash is taken again, the split is dropped."""
    if unknown := sorted(set(row) - _COLUMNS):
        raise InvalidTrace(unknown[0], "is not a field of this format. Put extra values under `metadata`")
    metadata = object_in(row, "metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("meta"), str):
        # read by the same parser as the row, which finds repeated keys and numbers that would be rounded
        metadata = {**metadata, "meta": (meta := object_in(metadata, "meta"))}
        if isinstance(meta, str):
            raise InvalidTrace("metadata.meta", "must be an object, or the JSON text of one. Write it so")
    with named_as(_NAMES):
        found = from_row({**row, "metadata": metadata})
        return [scored(labelled(found.trace, options), found.scores)]
