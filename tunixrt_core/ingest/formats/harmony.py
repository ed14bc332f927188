"""Format `harmony`: whole conversations as the text that gpt-oss reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace, tool_columns, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, rest, source_of
from tunixrt_core.ingest.reasoning.calls import read_any_arguments
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.turn import Turn
from tunixrt_core.ingest.reasoning.turns import joined
from tunixrt_core.traces.conversation import Call

NAME = "harmony"

_FIELDS = "system, messages, prompt, turns, steps, final_answer"
_COLUMNS = ("text", "conversation", "prompt")
_MESSAGE = re.compile(
    r"<\|start\|>(?P<head>(?:[^\n<]|<(?!\|(?:start|message)\|>))*+)<\|message\|>(?P<text>.*?)(?:<\|end\|>|<\|return\|>|<\|call\|>|(?=<\|start\|>)|\Z)",
    re.DOTALL,
)
_CHANNEL = re.compile(r"<\|channel\|>(\w+)")
_TO = re.compile(r"\bto=(?:functions\.)?([^\s<]+)")
_INSTRUCTIONS = "# Instructions\n\n"


def matches(row: Mapping[str, Any]) -> bool:
    return _column(row) is not None and "completion" not in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return {_column(row) or "text": _FIELDS, "source": "source", "model": "model"} | tool_columns(row)


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The channel `analysis` is the reasoning of the call or answer behind it. The developer's text is the system text;
    the system message, which the template of gpt-oss writes by itself, is kept in `meta`.
    """
    column = _column(row)
    if column is None:
        raise InvalidTrace("text", "is no conversation that begins with <|start|>. Name another format")
    turns, own = _turns(row[column], column)
    found, tools = with_tools(exchange_of(turns, column), row)
    meta = rest(row, (column, "source", "model", *tools)) | ({"harmony_system": own} if own is not None else {})
    names = {"prompt": column, "steps": column, "final_answer": column, "system": column}
    source = source_of(row, options)
    return [chat_trace(found, options, meta=meta, names=names, source=source, model=row.get("model"))]


def _column(row: Mapping[str, Any]) -> str | None:
    return next((name for name in _COLUMNS if isinstance(row.get(name), str) and "<|start|>" in row[name][:64]), None)


def _turns(text: str, column: str) -> tuple[list[Turn], str | None]:
    """The turns of a text, and the system message of gpt-oss. Raises InvalidTrace where it does not read it whole."""
    found = list(_MESSAGE.finditer(text))
    if left := _MESSAGE.sub("", text).strip():
        raise InvalidTrace(
            column, f"has text outside of its messages: {left[:40]!r}. Put it between <|message|> and <|end|>"
        )
    own = next((one["text"] for one in found if one["head"] == "system"), None)
    return joined(list(_joined(found, column)), lambda turn: bool(turn.calls)), own


def _joined(messages: list[re.Match[str]], column: str) -> Iterator[Turn]:
    thoughts: list[str] = []
    for i, message in enumerate(messages):
        turn, thought = _turn(message, f"{column}[{i}]")
        if thought is not None:
            thoughts.append(thought)
        if turn is not None:
            yield turn._replace(reasoning="\n".join(thoughts)) if turn.role == "assistant" else turn
            thoughts = [] if turn.role == "assistant" else thoughts
    if thoughts:
        raise InvalidTrace(column, "ends with thoughts, and no answer behind them. Complete the text, or leave it out")


def _turn(message: re.Match[str], field: str) -> tuple[Turn | None, str | None]:
    """A turn, or the thought of the one behind it; neither for the system message."""
    head, text = message["head"], message["text"]
    role = re.split(r"[\s<]", head, maxsplit=1)[0]
    raw = {"role": role, "content": text}
    if role in ("user", "developer"):
        said = text.removeprefix(_INSTRUCTIONS) if role == "developer" else text
        return Turn("user" if role == "user" else "system", said, {}, raw, field), None
    if role == "system":
        return None, None
    if role != "assistant":
        return Turn("tool", text, {}, raw, field, name=role.removeprefix("functions.")), None
    if to := _TO.search(head):
        return Turn("assistant", "", {}, raw, field, calls=(Call(to[1], read_any_arguments(text)),)), None
    channel = _CHANNEL.search(head)
    if channel is not None and channel[1] == "analysis":
        return None, text
    return Turn("assistant", text, {}, raw, field), None
