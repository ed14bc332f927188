"""Format `messages`: chat messages as OpenAI and TRL write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.ingest.formats.chats import chat_columns, chat_trace, system_of, with_tools
from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    export_metadata,
    labelled,
    present,
    rest,
    scored,
    source_of,
)
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.turns import read_turns
from tunixrt_core.traces.metadata import rebuild_messages
from tunixrt_core.traces.scores import scores_in

NAME = "messages"

_FIELDS = {"source": "source", "model": "model"}
_NAMES = {"prompt": "messages", "system": "messages", "steps": "messages"}


def matches(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("messages"), list)


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return chat_columns(row, "messages") | _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The assistant's last turn is the answer, the user's last turn before it the prompt; the others are around it."""
    messages, metadata = present(row, "messages"), export_metadata(row)
    if metadata and (known := rebuild_messages(messages, row.get("tools"), metadata)):
        return [scored(labelled(known, options), scores_in(metadata))]
    turns = read_turns(messages, "messages")
    system, told = system_of(row, turns)
    found, tools = with_tools(exchange_of(turns, "messages", system), row)
    meta = rest(row, ("messages", *_FIELDS, *told, *tools))
    source = source_of(row, options)
    return [chat_trace(found, options, meta=meta, names=_NAMES, source=source, model=row.get("model"))]
