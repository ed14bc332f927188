"""Format `alpaca`: `instruction`, `input` and `output`, with `history` and `tools`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import (
    SYSTEM_COLUMNS,
    TOOL_COLUMNS,
    chat_trace,
    system_columns,
    system_of,
    tool_columns,
    with_tools,
)
from tunixrt_core.ingest.formats.fields import Item, Options, rest, source_of, split_trace, text
from tunixrt_core.ingest.formats.pair_columns import history_turns
from tunixrt_core.ingest.reasoning.exchange import Exchange, exchange_of
from tunixrt_core.ingest.reasoning.split import split_completion
from tunixrt_core.ingest.reasoning.turn import Turn
from tunixrt_core.util.kinds import not_text

NAME = "alpaca"

_FIELDS = {
    "instruction": "prompt",
    "input": "prompt",
    "output": "steps, final_answer",
    "system": "system",
    "source": "source",
    "model": "model",
}
_BETWEEN = "\n\n"
_AROUND = frozenset({"history", *TOOL_COLUMNS, *SYSTEM_COLUMNS}) - {"system"}


def matches(row: Mapping[str, Any]) -> bool:
    return "instruction" in row and "output" in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS | system_columns(row) | tool_columns(row) | ({"history": "messages"} if row.get("history") else {})


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The prompt is the instruction and, after a blank line, the input; `meta.input_from` says where that begins.

    `history`, pairs of what was asked and answered before, becomes `messages`.
    """
    instruction, given, output = text(row, "instruction"), row.get("input"), text(row, "output")
    if given is not None and not isinstance(given, str):
        raise InvalidTrace("input", not_text(given))
    prompt = f"{instruction}{_BETWEEN}{given}" if given else instruction
    extra = {"input_from": len(instruction) + len(_BETWEEN)} if given else {}
    split = split_completion(output, "output", options.rule)
    known = {"source": source_of(row, options), "model": row.get("model")}
    if row.keys().isdisjoint(_AROUND):  # most rows, in less time
        names = {"prompt": "instruction", "steps": "output", "final_answer": "output"}
        meta = rest(row, _FIELDS)
        return [
            split_trace(split, prompt=prompt, meta=meta, names=names, extra=extra, system=row.get("system"), **known)
        ]
    system, told = (row["system"], ()) if row.get("system") is not None else system_of(row, ())
    answer = Turn("assistant", output, {}, {}, "output")
    if earlier := history_turns(row):
        found = exchange_of([*earlier, Turn("user", prompt, {}, {}, "instruction"), answer], "history", system)
        told = (*told, "history")
    else:
        found = Exchange(system, prompt, answer, {}, asked="instruction")
    found.kept.update(extra)
    found, tools = with_tools(found, row)
    meta = rest(row, {*_FIELDS, *told, *tools})
    return [chat_trace(found, options, meta=meta, names={"steps": "output"}, split=split, **known)]
