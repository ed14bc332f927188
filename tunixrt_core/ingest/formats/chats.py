"""Traces of conversations: what the formats of chat rows share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tunixrt_core.ingest.formats.fields import Options, split_trace
from tunixrt_core.ingest.reasoning.calls import read_tools
from tunixrt_core.ingest.reasoning.exchange import Exchange, split_answer
from tunixrt_core.ingest.reasoning.parts import message_text
from tunixrt_core.ingest.reasoning.split import Split
from tunixrt_core.ingest.reasoning.turn import Turn, role_of
from tunixrt_core.traces.conversation import NO_CONVERSATION
from tunixrt_core.traces.trace import Trace

SYSTEM_COLUMNS = ("system", "system_prompt", "systemInstruction", "system_instruction")
TOOL_COLUMNS = ("tools", "functions", "tool_definitions", "tool_defs", "available_tools")
_FIELDS = "system, prompt, steps, final_answer"


def chat_trace(
    found: Exchange,
    options: Options,
    *,
    meta: dict[str, Any],
    names: Mapping[str, str],
    split: Split | None = None,
    **optional: Any,
) -> Trace:
    """The trace of an exchange; `split` is that of its answer where it is known. `names` are those of the row."""
    names = {"final_answer": found.answer.field, **names}
    if found.asked:
        names["prompt"] = found.asked
    if found.conversation is not NO_CONVERSATION:
        names |= {"calls": f"{found.answer.field}.tool_calls", **found.names}
    return split_trace(
        split_answer(found.answer, options.rule) if split is None else split,
        prompt=found.prompt,
        meta=meta,
        names=names,
        extra=found.kept,
        system=found.system,
        conversation=found.conversation,
        **optional,
    )


def system_of(
    row: Mapping[str, Any], turns: Sequence[Turn], columns: Sequence[str] = SYSTEM_COLUMNS
) -> tuple[str | None, Sequence[str]]:
    """The system text beside the turns of a row, and its column, unless that holds more than the text.

    It may be text, or parts of text as Anthropic and Gemini write them; one that the first turn repeats is said once.
    Raises InvalidTrace where a part is no text.
    """
    if row.keys().isdisjoint(columns):
        return None, ()
    for name in columns:
        value = row.get(name)
        held = value.get("parts", value.get("content")) if isinstance(value, Mapping) else value
        told = message_text(held, name) if isinstance(held, str | list) else ""
        if told.strip():
            repeated = bool(turns) and turns[0].role == "system" and turns[0].text == told
            return None if repeated else told, (name,) if isinstance(value, str) else ()
    return None, ()


def with_tools(found: Exchange, row: Mapping[str, Any]) -> tuple[Exchange, Sequence[str]]:
    """The exchange with the tools that a row defines, and the columns that hold them.

    A system text that lists tools itself keeps them, and the column stays in `meta`: a template would list them twice.
    """
    if row.keys().isdisjoint(TOOL_COLUMNS) or (found.system is not None and "<tools>" in found.system):
        return found, ()
    for name in TOOL_COLUMNS:
        if (value := row.get(name)) and (tools := read_tools(value)):
            if not found.conversation.tools:
                talk = msgspec.structs.replace(found.conversation, tools=tools)
                return found._replace(conversation=talk), (name,)
            return found, (name,) if tools == found.conversation.tools else ()
    return found, ()


def chat_columns(row: Mapping[str, Any], name: str) -> dict[str, str]:
    """The fields that the column of messages becomes, and the one that defines tools."""
    return {name: said_in(row.get(name))} | tool_columns(row) | system_columns(row)


def system_columns(row: Mapping[str, Any]) -> dict[str, str]:
    """The columns that may hold the system text beside messages."""
    return {column: "system" for column in SYSTEM_COLUMNS if row.get(column)}


def tool_columns(row: Mapping[str, Any]) -> dict[str, str]:
    """The column that defines tools, if there is one."""
    if row.keys().isdisjoint(TOOL_COLUMNS):
        return {}
    column = next((column for column in TOOL_COLUMNS if row.get(column) and read_tools(row[column])), None)
    return {} if column is None else {column: "tools"}


def said_in(turns: Any) -> str:
    """The fields that messages become: also `messages` and `turns` where there is more than a question and an answer,
    with the number of turns of the assistant.
    """
    if not isinstance(turns, list) or len(turns) < 3:
        return _FIELDS
    if len(turns) == 3 and role_of(turns[0]) == "system":
        return _FIELDS
    roles = [role_of(turn) for turn in turns]
    answered = max((i for i, role in enumerate(roles) if role == "assistant"), default=len(roles))
    asked = max((i for i, role in enumerate(roles[:answered]) if role == "user"), default=0)
    before = any(role != "system" for role in roles[:asked])
    found = [_FIELDS, *(["messages"] if before else []), *(["turns"] if answered > asked + 1 else [])]
    replies = roles.count("assistant")
    return ", ".join(found) + (f" ({replies} turns of the assistant)" if replies > 1 else "")
