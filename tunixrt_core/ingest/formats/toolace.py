"""Format `toolace`: functions in the system text, called as in Python."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, present, rest, source_of
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.python_calls import looks_like_calls, read_python_calls
from tunixrt_core.ingest.reasoning.turn import Turn
from tunixrt_core.ingest.reasoning.turns import read_turns

NAME = "toolace"

_FIELDS = {
    "system": "system, tools",
    "conversations": "messages, prompt, turns, steps, final_answer, calls",
    "source": "source",
    "model": "model",
}
_FORM = re.compile(r"\[func\w*\(")
# lines that say how calls are written, or that definitions follow: a chat template says both itself
_ABOUT_FORM = re.compile(
    r"\[func\w*\(|^Here is a list of functions\b|^Should you decide to return the function call"
    r"|^(?:NO|You SHOULD NOT include any) other text\b",
    re.IGNORECASE,
)


class _System(NamedTuple):
    """A system text without what is about tools, and the definitions that it lists."""

    text: str | None
    tools: list[Any]


def matches(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("conversations"), list) and _system(row.get("system")) is not None


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The system text is kept whole in `meta`. Of the trace it says neither which functions there are nor how calls are
    written: both are the model's own way.
    """
    system = _system(row.get("system"))
    if system is None:
        raise InvalidTrace("system", "lists no functions as JSON, with the form [func(a=1)]. Name the format sharegpt")
    turns = [_with_calls(turn) for turn in read_turns(present(row, "conversations"), "conversations")]
    found = exchange_of(turns, "conversations", system.text)
    found, _ = with_tools(found, {"tools": system.tools})
    return [
        chat_trace(
            found,
            options,
            meta={**rest(row, _FIELDS), NAME: {"system": row["system"]}},
            names={"prompt": "conversations", "steps": found.answer.field, "system": "system", "tools": "system"},
            source=source_of(row, options),
            model=row.get("model"),
        )
    ]


def _system(text: Any) -> _System | None:
    if not isinstance(text, str) or not _FORM.search(text):
        return None
    start = re.search(r"\[\s*\{", text)
    if start is None:
        return None
    try:
        tools, end = json.JSONDecoder().raw_decode(text, start.start())
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(tool, Mapping) and isinstance(tool.get("name"), str) for tool in tools):
        return None
    lines = [*text[: start.start()].split("\n"), *text[end:].lstrip(" \t.").split("\n")]
    told = "\n".join(line for line in lines if not _ABOUT_FORM.search(line.strip())).strip()
    return _System(told or None, tools)


def _with_calls(turn: Turn) -> Turn:
    if turn.role != "assistant" or not looks_like_calls(turn.text):
        return turn
    if (calls := read_python_calls(turn.text)) is None:
        raise InvalidTrace(
            turn.field,
            "looks like a list of calls, but is none such as [f(a=1, b='x')], with a name and a value for each "
            "argument. Write it so",
        )
    return turn._replace(text="", calls=calls)
