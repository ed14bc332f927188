"""Format `chat_text`: conversations as one text with the marks of a model family."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace, system_of, tool_columns, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, rest, source_of
from tunixrt_core.ingest.formats.marked_text import GLAIVE, Marked, marked_text, without_tools
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.turns import read_turns

NAME = "chat_text"

_FIELDS = "system, messages, prompt, turns, steps, final_answer"
_COLUMNS = (
    "text",
    "chat",
    "sample",
    "conversation",
    "conversations",
    "messages",
    "formatted_text",
    "dialogue",
    "transcript",
    "content",
)
_ANSWERS = frozenset({"completion", "chosen", "response", "answer", "output", "final_answer"})


def matches(row: Mapping[str, Any]) -> bool:
    return _ANSWERS.isdisjoint(row) and _chat(row) is not None


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    chat = _chat(row)
    found = {chat[0] if chat else "text": _FIELDS, "source": "source", "model": "model"} | tool_columns(row)
    return found | ({"system": "system, tools"} if isinstance(row.get("system"), str) else {})


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The turns between the marks. The dates that Llama's template writes by itself are kept in `meta`."""
    if (chat := _chat(row)) is None:
        raise InvalidTrace("text", "holds no marks of turns that are known. Name another format")
    column, found = chat
    if isinstance(found, InvalidTrace):
        raise found
    beside = {"role": "system", "content": row["system"]} if _is_glaive_system(row, found) else None
    messages = [beside, *found.messages] if beside else found.messages
    tools: list[Any] = []
    if found.dialect == GLAIVE and messages and messages[0]["role"] == "system":
        text, tools = without_tools(messages[0]["content"])
        messages = [{"role": "system", "content": text}, *messages[1:]]
    turns = read_turns(messages, column)
    system, told = (None, ("system",)) if beside else system_of(row, turns)
    exchange, used = with_tools(exchange_of(turns, column, system), {**row, "tools": tools} if tools else row)
    meta = rest(row, (column, "source", "model", *told, *used))
    if found.header:
        meta["chat_text_header"] = found.header
    names = {"prompt": column, "steps": column, "final_answer": column, "system": column}
    source = source_of(row, options)
    return [chat_trace(exchange, options, meta=meta, names=names, source=source, model=row.get("model"))]


def _chat(row: Mapping[str, Any]) -> tuple[str, Marked | InvalidTrace] | None:
    """The column with marks, and its messages or what is wrong with them; None where no column has any."""
    for name in _COLUMNS:
        if isinstance(text := row.get(name), str) and (found := _marked(text, name)) is not None:
            return name, found
    return None


@lru_cache(maxsize=len(_COLUMNS))  # the columns of a row are listed before it is read
def _marked(text: str, name: str) -> Marked | InvalidTrace | None:
    try:
        return marked_text(text, name)
    except InvalidTrace as fault:
        return fault


def _is_glaive_system(row: Mapping[str, Any], found: Marked) -> bool:
    return (
        found.dialect == GLAIVE and isinstance(row.get("system"), str) and row["system"].lstrip().startswith("SYSTEM:")
    )
