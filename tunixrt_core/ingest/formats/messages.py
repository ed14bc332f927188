"""Format `messages`: chat messages as OpenAI and TRL write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    export_metadata,
    labelled,
    rest,
    scored,
    source_of,
    split_trace,
)
from tunixrt_core.ingest.reasoning.turns import exchange_of, read_turns, split_turn
from tunixrt_core.traces.metadata import rebuild_messages
from tunixrt_core.traces.scores import scores_in

NAME = "messages"

_FIELDS = {"messages": "system, prompt, steps, final_answer", "source": "source", "model": "model"}


def matches(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("messages"), list)


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The assistant's last turn is the answer, the user's last turn before it the prompt; other turns are kept."""
    metadata = export_metadata(row)
    if metadata and (known := rebuild_messages(row["messages"], row.get("tools"), metadata)):
        return [scored(labelled(known, options), scores_in(metadata))]
    found = exchange_of(read_turns(row.get("messages"), "messages"), "messages")
    return [
        split_trace(
            split_turn(found.answer, options.rule),
            prompt=found.prompt,
            meta=rest(row, _FIELDS),
            names={"prompt": "messages", "system": "messages", "steps": "messages", "final_answer": found.answer.field},
            extra=found.kept,
            system=found.system,
            source=source_of(row, options),
            model=row.get("model"),
        )
    ]
