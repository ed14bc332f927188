"""Format `trace`: Tunix RT's own form, lossless."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.ingest.formats.fields import Item, Options, labelled, list_in, object_in
from tunixrt_core.traces.conversation import FIELDS as CONVERSATION
from tunixrt_core.traces.trace import FIELDS, Trace

NAME = "trace"


def matches(row: Mapping[str, Any]) -> bool:
    return "prompt" in row and "steps" in row and not isinstance(row["steps"], str) and "completion" not in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return {name: name for name in FIELDS}


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The trace as it was written. A source given here is used where the row names none."""
    held = {key: object_in(row, key) for key in ("meta", "layout") if isinstance(row.get(key), str)}
    held |= {key: list_in(row, key) for key in CONVERSATION if isinstance(row.get(key), str)}
    return [labelled(Trace.from_dict({**row, **held} if held else row), options)]
