"""Tool calls and tool definitions in the forms of other programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.conversation import Call, Tool, json_text, read_arguments
from tunixrt_core.traces.rendering.families.qwen import HERMES, hermes_tools
from tunixrt_core.traces.rendering.tool_forms import written_calls
from tunixrt_core.util.kinds import kind_of

_NAMES = ("name", "function_name", "toolName")
_ARGUMENTS = ("arguments", "args", "input", "parameters")
_IDS = ("call_id", "tool_call_id", "toolCallId", "id")  # items of OpenAI's responses have an `id` of their own too
_HERMES = ("<tool_call>\n", "\n</tool_call>")
_HERMES_TOOLS = ("# Tools\n\n", "<tools>\n", "\n</tools>")
_THOUGHT_END = "</think>"


def read_call(value: Any, field: str) -> tuple[Call, dict[str, Any]]:
    """A call and the rest of its keys. It may be nested under `function`, or be JSON text. Raises InvalidTrace."""
    held = _object(value)
    if held is None:
        raise InvalidTrace(
            field, f"must be a tool call with `name` and `arguments`, not {kind_of(value)}. Write it as an object"
        )
    inner = held.get("function")
    told = inner if isinstance(inner, Mapping) else held
    name = inner if isinstance(inner, str) else _first(told, _NAMES)
    if not isinstance(name, str) or not name.strip():
        raise InvalidTrace(field, f"is a tool call without a name; it has the keys {', '.join(map(str, held))}. Add it")
    given, by = _first(told, _ARGUMENTS), next((key for key in _IDS if held.get(key) is not None), "id")
    call = Call(name, read_any_arguments(given), None if held.get(by) is None else str(held[by]))
    used = {"function", "type", *_NAMES, *_ARGUMENTS, by}
    rest = {key: left for key, left in held.items() if key not in used and left is not None}
    if isinstance(inner, Mapping):
        rest |= {key: left for key, left in inner.items() if key not in used and left is not None}
    return call, rest


def read_calls(value: Any, field: str) -> tuple[tuple[Call, ...], list[dict[str, Any]]]:
    """The calls of a list, or of one call, and the rest of the keys of each; none of these where nothing is left."""
    listed = value if isinstance(value, list) else [value]
    read = [read_call(item, f"{field}[{i}]" if isinstance(value, list) else field) for i, item in enumerate(listed)]
    rest = [left for _, left in read]
    return tuple(call for call, _ in read), rest if any(rest) else []


def read_any_arguments(value: Any) -> str:
    """The arguments of a call as text, also where they are neither an object nor text."""
    return read_arguments(value) if isinstance(value, str | Mapping) or value is None else json_text(value)


def calls_from_text(text: str) -> tuple[str, tuple[Call, ...]] | None:
    """The calls that are all of a text, as JSON, with the text before `</think>`; None for any other text."""
    thought, mark, said = text.rpartition(_THOUGHT_END)
    try:
        value = orjson.loads(said)
        calls, rest = read_calls(value, "")
    except (orjson.JSONDecodeError, InvalidTrace):
        return None
    return None if rest or not calls else (thought + mark, calls)


def calls_in(value: Any, tools: Sequence[Tool]) -> tuple[Call, ...]:
    """The calls of a column of answers, a list or its JSON text, that all name one of these tools; else none."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return ()
    if not isinstance(value, list | dict) or not value:
        return ()
    try:
        calls, rest = read_calls(value, "")
    except InvalidTrace:
        return ()
    names = {name for tool in tools if isinstance(tool, Mapping) and isinstance(name := _tool_name(tool), str)}
    return () if rest or not {call.name for call in calls} <= names else calls


def _tool_name(tool: Mapping[str, Any]) -> Any:
    inner = tool.get("function")
    return inner.get("name") if isinstance(inner, Mapping) else tool.get("name")


def hermes_calls(text: str) -> tuple[str, tuple[Call, ...]]:
    """The content of a text and its calls as Hermes writes them; no calls where writing them gives another text."""
    at = text.find("<tool_call>")
    if at < 0:
        return text, ()
    found = [_object(one) for one in _between(text, at, *_HERMES)]
    content = text[:at].removesuffix("\n")
    if not found or any(one is None or list(one) != ["name", "arguments"] for one in found):
        return text, ()
    if not all(isinstance(one["name"], str) and isinstance(one["arguments"], dict) for one in found if one):
        return text, ()
    calls = tuple(Call(one["name"], read_any_arguments(one["arguments"])) for one in found if one)
    return (content, calls) if content + written_calls(HERMES, calls, content) == text else (text, ())


def _between(text: str, at: int, opener: str, closer: str) -> Iterator[str]:
    """The texts between two marks, one after the other."""
    while (start := text.find(opener, at)) >= 0 and (end := text.find(closer, start + len(opener))) >= 0:
        yield text[start + len(opener) : end]
        at = end + len(closer)


def hermes_system(text: str) -> tuple[str, tuple[Tool, ...]]:
    """A system text without the tools that Qwen writes behind it; no tools where writing them gives another text."""
    header, opener, closer = _HERMES_TOOLS
    start = text.find(header)
    listed = text.find(opener, start + len(header)) + len(opener) if start >= 0 else 0
    end = text.rfind(closer, listed)
    if start < 0 or listed < len(opener) or end < 0:
        return text, ()
    tools = tuple(map(_object, text[listed:end].split("\n")))
    read = tuple(tool for tool in tools if tool is not None)
    before = text[:start]
    written = hermes_tools(list(map(json_text, read))) if len(read) == len(tools) else ""
    if text[start:] != written or (before and not before.endswith("\n\n")):
        return text, ()
    return before.removesuffix("\n\n"), read


def read_tools(value: Any) -> tuple[Tool, ...] | None:
    """Tool definitions as OpenAI's `tools`, from a list, one object, or their JSON text; None for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    listed = value if isinstance(value, list) else [value]
    objects = [_object(item) for item in listed]
    if not objects or any(one is None for one in objects):
        return None
    return tuple(tool for one in objects if one is not None for tool in _definitions(one))


def _definitions(tool: dict[str, Any]) -> Sequence[Tool]:
    declared = tool.get("functionDeclarations", tool.get("function_declarations"))  # Gemini
    if isinstance(declared, list) and all(isinstance(one, dict) for one in declared):
        return [inner for one in declared for inner in _definitions(one)]
    inner = tool.get("function")
    if isinstance(inner, dict) or not isinstance(tool.get("name"), str):
        return [tool]
    if tool.get("type") not in (None, "function"):  # a tool of the provider
        return [tool]
    told = {key: held for key, held in tool.items() if key != "type" and held is not None}
    made = {("parameters" if key == "input_schema" else key): held for key, held in told.items()}
    return [{"type": "function", "function": made}]


def _object(value: Any) -> dict[str, Any] | None:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value if isinstance(value, dict) else None


def _first(held: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((held[name] for name in names if held.get(name) is not None), None)
