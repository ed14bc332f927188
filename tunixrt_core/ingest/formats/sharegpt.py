"""Format `sharegpt`: `conversations` of `from` and `value`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.ingest.formats.chats import chat_columns, chat_trace, system_of, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, present, rest, source_of
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.turns import read_turns

NAME = "sharegpt"

_FIELDS = {"source": "source", "model": "model"}
_NAMES = {"prompt": "conversations", "steps": "conversations"}


def matches(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("conversations"), list)


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return chat_columns(row, "conversations") | _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """As with messages. A `question` that says the same as the prompt is not kept twice."""
    turns = read_turns(present(row, "conversations"), "conversations")
    system, told = system_of(row, turns)
    found = exchange_of(turns, "conversations", system)
    found, tools = with_tools(found, row)
    blank = ["system"] if row.get("system") is None else []
    meta = rest(row, ("conversations", "source", "model", *blank, *told, *tools))
    if meta.get("question") == found.prompt:
        del meta["question"]
    source = source_of(row, options)
    return [chat_trace(found, options, meta=meta, names=_NAMES, source=source, model=row.get("model"))]
