"""Format `otel`: spans of OpenTelemetry's GenAI conventions and of OpenInference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, flag, rest, scored, source_of
from tunixrt_core.ingest.formats.logged import (
    Answer,
    answers,
    asked_turns,
    choices,
    is_chat,
    items_of,
    or_fault,
    ordered,
    value_of,
    with_reasoning,
)
from tunixrt_core.ingest.formats.span_values import deep, flat, json_of, nested, pairs_of
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.parts import message_text
from tunixrt_core.ingest.reasoning.turn import Turn
from tunixrt_core.ingest.reasoning.turns import read_message, read_turns
from tunixrt_core.traces.scores import GivenScore

NAME = "otel"

_SPAN_IDS = ("spanId", "span_id")
_OWN = ("gen_ai.", "llm.")
_INPUT, _OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"
_SYSTEM, _TOOLS = "gen_ai.system_instructions", "gen_ai.tool.definitions"
_MODELS = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "langfuse.observation.model.name")
# older conventions: an attribute for each value of each message
_INDEXED = re.compile(r"(gen_ai\.prompt|gen_ai\.completion|llm\.input_messages|llm\.output_messages)\.(\d+\..+)")
_INDEXED_TOOLS = re.compile(r"(llm\.tools|llm\.request\.functions)\.(\d+\..+)")
_ASKED, _SAID = ("gen_ai.prompt", "llm.input_messages"), ("gen_ai.completion", "llm.output_messages")
# where other programs hold a request and its response, as JSON text
_VALUES = (
    ("langfuse.observation.input", "langfuse.observation.output"),
    ("gen_ai.prompt", "gen_ai.completion"),
    ("input.value", "output.value"),
    ("mlflow.spanInputs", "mlflow.spanOutputs"),
)
_MESSAGE = re.compile(r"(.*?\[\d+\]).*")
_CHOICE = "gen_ai.choice"
_RESPONSE = "output.value"  # of OpenInference, whose messages leave out the reasoning
_EVENT_NAMES = ("name", "event_name", "eventName")
_EVENT = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")
_FIELDS = {
    "attributes": "system, messages, prompt, turns, steps, final_answer, tools, model",
    "events": "messages, score",
}


def matches(row: Mapping[str, Any]) -> bool:
    if isinstance(row.get("attributes"), list | dict):
        context = row.get("context")
        return any(key in row or (isinstance(context, dict) and key in context) for key in _SPAN_IDS)
    return any(isinstance(key, str) and key in (_INPUT, _OUTPUT) for key in row)


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return {key: "messages" for key in row if key.startswith(_OWN)} | _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The messages of a span, input before output. A span without messages gives nothing.

    Other attributes and the rest of the span are kept in `meta.otel`.
    """
    held = _attributes(row)
    told = dict(held)
    for event in _events(row):
        told |= {key: value for key, value in event[1].items() if key in (_INPUT, _OUTPUT, _SYSTEM, _TOOLS)}
    asked, said, used = _messages(told, row)
    if not any(map(_is_answer, [asked, *said])):
        return []
    tools = _tools(told)
    model = next((name for name in _MODELS if isinstance(told.get(name), str) and told[name]), "")

    def make(i: int, answer: list[Turn]) -> Item:
        found, told_tools = with_tools(exchange_of([*asked, *answer], _INPUT), {"tools": tools})
        left = rest(held, used | {model, *(_tool_names(told) if told_tools else ())})
        span = rest(row, ("attributes", *held)) if held is not row else {}
        span |= {"attributes": left} if left else {}
        span |= {"choice": i} if len(said) > 1 else {}
        trace = chat_trace(
            found,
            options,
            meta={"otel": span} if span else {},
            names={"prompt": _INPUT, "steps": found.answer.field, "system": _SYSTEM},
            source=source_of(row, options),
            model=told.get(model),
        )
        return scored(trace, _scores(row))

    return items_of(said or [[]], make)


def _is_answer(found: Answer) -> bool:
    """Whether a model said it, or what it said cannot be read."""
    return isinstance(found, InvalidTrace) or any(turn.role == "assistant" for turn in found)


# --- attributes ------------------------------------------------------------------------------------------------------


def _attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    """Name -> value, from OTLP's pairs, an object, or columns."""
    held = row.get("attributes")
    if isinstance(held, list):
        return pairs_of(held)
    if isinstance(held, dict):
        return dict(flat(held, _OWN, (_INPUT, _OUTPUT)))
    return {key: value for key, value in row.items() if key.startswith(_OWN)}


# --- messages --------------------------------------------------------------------------------------------------------


def _messages(told: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[list[Turn], list[Answer], set[str]]:
    """The turns of a span's input, each answer, and the attributes that they came from."""
    if told.get(_INPUT) is not None or told.get(_OUTPUT) is not None:
        asked = _system(told.get(_SYSTEM)) + _turns(_read(told.get(_INPUT), _INPUT))
        return asked, choices(_each(told.get(_OUTPUT), _OUTPUT)), {_INPUT, _OUTPUT, _SYSTEM}
    indexed = {key: found for key in told if (found := _INDEXED.fullmatch(key))}
    if indexed:
        before = [turns for name in _ASKED for turns in _read(_indexed(told, indexed, name), name)]
        said = [answer for name in _SAID for answer in _each(_indexed(told, indexed, name), name)]
        return _turns(before), choices(with_reasoning(said, value_of(told.get(_RESPONSE)))), set(indexed)
    for one, other in _VALUES:
        values = value_of(told.get(one)), value_of(told.get(other))
        if is_chat(*values):
            return asked_turns(values[0], one), answers(values[1], other), {one, other}
    asked = [turn for name, held in _events(row) if name != _CHOICE for turn in _said(name, held)]
    chosen = [
        or_fault(lambda value, at: _said(at, value), held, _CHOICE) for name, held in _events(row) if name == _CHOICE
    ]
    return asked, choices([answer for answer in chosen if answer]), set()


def _turns(messages: Sequence[list[Turn]]) -> list[Turn]:
    return [turn for turns in messages for turn in turns]


def _indexed(told: Mapping[str, Any], indexed: Mapping[str, re.Match[str]], name: str) -> list[Any] | None:
    """The messages of this name, each of which has an attribute for each of its values; None where there are none."""
    parts = {match[2]: told[key] for key, match in indexed.items() if match[1] == name}
    return [_plain(message) for message in nested(parts)] if parts else None


def _each(value: Any, name: str) -> Sequence[Answer]:
    """The turns of each message of an output; a fault in place of one that cannot be read, where there are others."""
    try:
        return _read(value, name)
    except InvalidTrace as fault:
        found = json_of(value)
        if not isinstance(found, list) or len(found) == 1:
            raise fault
        return [or_fault(read_message, ordered(one), f"{name}[{i}]") for i, one in enumerate(found)]


def _read(value: Any, name: str) -> list[list[Turn]]:
    """The turns of each message. Raises InvalidTrace."""
    found = json_of(value)
    if found is None:
        return []
    if not isinstance(found, list):
        return [read_turns(found, name)]
    made: dict[str, list[Turn]] = {}
    for turn in read_turns([ordered(message) for message in found], name):
        made.setdefault(_MESSAGE.sub(r"\1", turn.field), []).append(turn)
    return list(made.values())


def _system(value: Any) -> list[Turn]:
    found = json_of(value)
    if found is None or found == "":
        return []
    text = found if isinstance(found, str) else message_text(found, _SYSTEM)
    return [Turn("system", text, {}, {"role": "system", "content": text}, _SYSTEM)]


def _plain(message: Any) -> Any:
    """A message of OpenInference without the names around its values."""
    if not isinstance(message, dict):
        return message
    found = dict(message["message"]) if isinstance(message.get("message"), dict) else dict(message)
    if isinstance(calls := found.get("tool_calls"), list):
        found["tool_calls"] = [c["tool_call"] if isinstance(c, dict) and "tool_call" in c else c for c in calls]
    if isinstance(contents := found.pop("contents", None), list) and "content" not in found:
        found["content"] = [c.get("message_content", c) if isinstance(c, dict) else c for c in contents]
    if "content" not in found and not found.get("tool_calls"):
        found["content"] = ""
    if isinstance(content := json_of(found.get("content")), list) and all(isinstance(part, dict) for part in content):
        found["content"] = content
    return found


def _events(row: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for event in row["events"] if isinstance(row.get("events"), list) else []:
        name = next((event[key] for key in _EVENT_NAMES if key in event), None) if isinstance(event, dict) else None
        if isinstance(name, str):
            yield name, _attributes(event) | _body(event)


def _body(event: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a log record, an object or OTLP's pairs."""
    found = deep(event.get("body"))
    return found if isinstance(found, dict) else {}


def _said(name: str, held: Mapping[str, Any]) -> list[Turn]:
    """The turn of an event such as `gen_ai.user.message`, or of `gen_ai.choice`."""
    told = {key: json_of(value) if key in ("message", "tool_calls") else value for key, value in held.items()}
    if name == _CHOICE:
        message = told.get("message") if isinstance(told.get("message"), dict) else told
        return read_turns([{"role": "assistant", **(message or {})}], name)
    found = _EVENT.fullmatch(name)
    told.pop("gen_ai.system", None)  # the name of the provider
    if found and found[1] == "tool" and "id" in told:
        told["tool_call_id"] = told.pop("id")
    return read_turns([{"role": found[1], **told}], name) if found else []


# --- tools and scores ------------------------------------------------------------------------------------------------


def _tool_names(told: Mapping[str, Any]) -> set[str]:
    return {key for key in told if key == _TOOLS or _INDEXED_TOOLS.fullmatch(key)}


def _tools(told: Mapping[str, Any]) -> Any:
    if told.get(_TOOLS) is not None:
        return json_of(told[_TOOLS])
    for name, _ in _VALUES:
        asked = value_of(told.get(name))
        if isinstance(asked, Mapping) and asked.get("tools"):
            return asked["tools"]
    indexed = {found[2]: told[key] for key in told if (found := _INDEXED_TOOLS.fullmatch(key))}
    tools = [tool for tool in nested(indexed) if isinstance(tool, dict)] if indexed else []
    return [_definition(tool) for tool in tools]


def _definition(tool: dict[str, Any]) -> Any:
    schema = tool.get("tool", {}).get("json_schema") if isinstance(tool.get("tool"), dict) else None
    if schema is not None:
        return json_of(schema)
    return {key: json_of(value) if key == "parameters" else value for key, value in tool.items()}


def _scores(row: Mapping[str, Any]) -> Iterator[GivenScore]:
    for name, held in _events(row):
        called = held.get("gen_ai.evaluation.name")
        if name == "gen_ai.evaluation.result" and isinstance(called, str) and called.strip():
            note = held.get("gen_ai.evaluation.explanation")
            value = held.get("gen_ai.evaluation.score.value")
            yield from flag(called, value, scorer="opentelemetry", note=note if isinstance(note, str) else None)
