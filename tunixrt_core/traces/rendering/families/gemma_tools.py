"""Tool definitions, calls and results as Gemma 4 writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunixrt_core.traces.conversation import Call, Message, Tool, tool_value
from tunixrt_core.traces.rendering.families.gemma_values import (
    by_name,
    quoted,
    read_entries,
    write_entries,
    write_value,
)
from tunixrt_core.traces.rendering.text import Piece
from tunixrt_core.traces.rendering.tool_forms import ToolForm

RESULT = "<|tool_response>"  # what a model writes behind its calls, to wait for their results
_STANDARD = {"description", "type", "properties", "required", "nullable"}
_OPENER, _CLOSER = "<|tool_call>call:", "<tool_call|>"


def gemma_call(call: Call) -> str:
    """A call; its arguments must be an object."""
    entries = write_entries(call.value, bare_keys=True) if isinstance(call.value, Mapping) else ""
    return f"<|tool_call>call:{call.name}{{{entries}}}<tool_call|>"


def read_gemma_calls(text: str) -> tuple[str, tuple[Call, ...]] | None:
    """What a text says before the calls that it ends with, and these; None where it does not end with calls."""
    said, _, rest = text.partition("<|tool_call>")
    found, beside = _calls("<|tool_call>" + rest)
    if not found or beside.strip().removeprefix(RESULT):
        return None
    calls = [(name.strip(), read_entries(arguments)) for name, arguments in found]
    if any(arguments is None for _, arguments in calls):
        return None
    return said.strip(), tuple(Call(name, arguments or {}) for name, arguments in calls)


def _calls(text: str) -> tuple[list[tuple[str, str]], str]:
    """The name and the arguments of each call, as they are written, and the text beside the calls."""
    found, beside, at, looked = [], "", 0, 0
    while (start := text.find(_OPENER, looked)) >= 0 and (brace := text.find("{", start + len(_OPENER))) >= 0:
        looked = start + len(_OPENER)
        if brace == looked:  # without a name it is none
            continue
        if (end := text.find("}" + _CLOSER, brace + 1)) < 0:
            break
        found.append((text[looked:brace], text[brace : end + 1]))
        beside += text[at:start]
        at = looked = end + 1 + len(_CLOSER)
    return found, beside + text[at:]


def gemma_tools(tools: Sequence[Tool]) -> str:
    """The definitions behind the system text."""
    return "".join(f"<|tool>{_declaration(tool_value(tool))}<tool|>" for tool in tools)


def gemma_results(calls: Sequence[Call], results: Sequence[Message]) -> Iterator[Piece]:
    """The results of calls, within the turn of the model that called."""
    for place, result in enumerate(results):
        yield Piece(RESULT)
        yield Piece(f"response:{_name(calls, result, place)}{{value:{quoted(result.content)}}}", "message")
        yield Piece("<tool_response|>")


def _name(calls: Sequence[Call], result: Message, place: int) -> str:
    """The tool of a result: by the call's id, by its own name, else by its place."""
    by_id = [call.name for call in calls if call.id is not None and call.id == result.call_id]
    if by_id:
        return by_id[-1]
    return result.name or (calls[place].name if place < len(calls) else "unknown")


def _declaration(tool: Mapping[str, Any]) -> str:
    function = _object(tool.get("function", tool))
    text = f"declaration:{function.get('name', '')}{{description:{quoted(function.get('description', ''))}"
    if parameters := _object(function.get("parameters")):
        text += ",parameters:{"
        if properties := parameters.get("properties"):
            text += f"properties:{{{_properties(properties)}}},"
        if required := parameters.get("required"):
            text += f"required:[{_names(required)}],"
        if kind := parameters.get("type"):
            text += f"type:{quoted(str(kind).upper())}}}"
    if "response" in function:
        response = _object(function["response"])
        text += ",response:{"
        if description := response.get("description"):
            text += f"description:{quoted(description)},"
        if _kind(response) == "OBJECT":
            text += f"type:{quoted('OBJECT')}}}"
    return f"{text}}}".strip()


def _properties(properties: Mapping[str, Any], *, inner: bool = False) -> str:
    """`inner`: of a schema that has its own keys beside the names of its properties."""
    entries = [(key, value) for key, value in by_name(properties) if not (inner and key in _STANDARD)]
    return ",".join(f"{key}:{{{','.join(_schema(_object(value)))}}}" for key, value in entries)


def _schema(schema: Mapping[str, Any]) -> Iterator[str]:
    kind = _kind(schema)
    if description := schema.get("description"):
        yield f"description:{quoted(description)}"
    if kind == "STRING" and (values := schema.get("enum")):
        yield f"enum:{write_value(values, bare_keys=False)}"
    if kind == "ARRAY" and (items := _object(schema.get("items"))):
        yield f"items:{{{','.join(_item(items))}}}"
    if schema.get("nullable"):
        yield "nullable:true"
    if kind == "OBJECT":
        properties = schema.get("properties")
        inside = _properties(properties) if isinstance(properties, Mapping) else _properties(schema, inner=True)
        yield f"properties:{{{inside}}}"
        if required := schema.get("required"):
            yield f"required:[{_names(required)}]"
    yield f"type:{quoted(kind)}"


def _item(items: Mapping[str, Any]) -> Iterator[str]:
    """The entries of what an array holds."""
    for key, value in by_name(items):
        if value is None:
            continue
        if key == "properties":
            yield f"properties:{{{_properties(value) if isinstance(value, Mapping) else ''}}}"
        elif key == "required":
            yield f"required:[{_names(value)}]"
        elif key == "type":
            upper = value.upper() if isinstance(value, str) else [str(each).upper() for each in value]
            yield f"type:{write_value(upper, bare_keys=False)}"
        else:
            yield f"{key}:{write_value(value, bare_keys=False)}"


def _names(names: Sequence[Any]) -> str:
    return ",".join(quoted(str(name)) for name in names)


def _kind(schema: Mapping[str, Any]) -> str:
    return str(schema.get("type", "")).upper()


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


FORM = ToolForm(gemma_call, gemma_results, between="", within=RESULT)
