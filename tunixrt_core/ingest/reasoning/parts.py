"""Parts of a message: text, thinking, tool calls and tool results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.reasoning.calls import calls_from_text, read_call
from tunixrt_core.traces.conversation import Call, json_text
from tunixrt_core.util.kinds import kind_of

_TEXTS = ("text", "value", "content")
_TEXT_TYPES = frozenset({"text", "input_text", "output_text", "summary_text", "refusal"})
_THINKING_TYPES = frozenset({"thinking", "reasoning", "thought"})
_CALL_TYPES = frozenset({"tool_use", "tool_call", "tool-call", "function_call", "server_tool_use"})
_RESULT_TYPES = frozenset(
    {"tool_result", "tool-result", "tool_call_response", "function_call_output", "tool_response", "function_response"}
)
_RESULTS = ("content", "response", "result", "output", "value", "text")
_RESULT_IDS = ("tool_use_id", "tool_call_id", "toolCallId", "call_id", "id")
_RESULT_NAMES = ("name", "toolName", "tool_name")


class Part(NamedTuple):
    """One part. `rest` are the keys that nothing else holds."""

    kind: Literal["text", "thinking", "call", "result"]
    text: str = ""
    call: Call | None = None
    call_id: str | None = None
    name: str | None = None
    rest: Mapping[str, Any] = {}


def read_part(part: Any, field: str) -> Part:
    """A part of OpenAI, Anthropic, Gemini, OpenTelemetry, LLaMA-Factory or Inspect. Raises InvalidTrace."""
    if isinstance(part, str):
        return Part("text", part)
    if not isinstance(part, dict):
        raise InvalidTrace(field, f"is a part of type {type(part).__name__!r}; {_READABLE}")
    kind = part.get("type") if isinstance(part.get("type"), str) else None
    for read in (_gemini, _call, _result, _thinking):
        if (found := read(part, kind, field)) is not None:
            return found
    held = next((name for name in _TEXTS if isinstance(part.get(name), str)), None)
    if held is None or (kind is not None and kind not in _TEXT_TYPES):
        raise InvalidTrace(field, f"is a part of type {kind!r}; {_READABLE}")
    rest = {key: value for key, value in part.items() if key not in ("type", held) and value is not None}
    return Part("text", part[held], rest=rest)


_READABLE = "only text can be read. Leave the part out, or write it as text"


def message_text(content: Any, field: str) -> str:
    """Text, or parts that are all text. Raises InvalidTrace naming the part that is not."""
    if isinstance(content, str) or content is None:
        return content or ""
    if not isinstance(content, list):
        raise InvalidTrace(field, f"must be text or a list of parts, not {kind_of(content)}")
    return "".join(_text_of(part, f"{field}[{i}]") for i, part in enumerate(content))


def result_text(content: Any, field: str) -> str:
    """The result of a tool as text: parts that are all text, else the JSON of what is no text."""
    if isinstance(content, str) or content is None:
        return content or ""
    if isinstance(content, list) and content and all(_is_text(part) for part in content):
        return message_text(content, field)
    return json_text(content)


def _text_of(part: Any, field: str) -> str:
    found = read_part(part, field)
    if found.kind != "text":
        raise InvalidTrace(field, f"is a part of type {part.get('type')!r}; {_READABLE}")
    return found.text


def _is_text(part: Any) -> bool:
    if isinstance(part, str):
        return True
    kind = part.get("type") if isinstance(part, dict) else None
    return isinstance(kind, str) and kind in _TEXT_TYPES and any(isinstance(part.get(name), str) for name in _TEXTS)


def _gemini(part: dict[str, Any], kind: str | None, field: str) -> Part | None:
    for name in ("functionCall", "function_call"):
        if isinstance(inner := part.get(name), dict):
            call, more = read_call(inner, f"{field}.{name}")
            return Part("call", call=call, rest=_without(part, name) | more)
    for name in ("functionResponse", "function_response"):
        if isinstance(inner := part.get(name), dict):
            found = _result(inner, "function_response", f"{field}.{name}")
            assert found is not None, "a function response is a result"
            return found._replace(rest={**_without(part, name), **found.rest})
    if part.get("thought") is True and isinstance(part.get("text"), str):
        return Part("thinking", part["text"], rest=_without(part, "text", "thought"))
    return None


def _call(part: dict[str, Any], kind: str | None, field: str) -> Part | None:
    if kind not in _CALL_TYPES:
        return None
    if isinstance(text := part.get("value"), str) and "name" not in part:  # LLaMA-Factory
        found = calls_from_text(text)
        if found is None or len(found[1]) != 1 or found[0]:
            raise InvalidTrace(f"{field}.value", "is no tool call. Write it as JSON with `name` and `arguments`")
        return Part("call", call=found[1][0], rest=_without(part, "value"))
    call, rest = read_call(part, field)
    return Part("call", call=call, rest=rest | ({} if kind != "server_tool_use" else {"type": kind}))


def _result(part: dict[str, Any], kind: str | None, field: str) -> Part | None:
    if kind not in _RESULT_TYPES and not (kind or "").endswith("_tool_result"):
        return None
    held = next((name for name in _RESULTS if part.get(name) is not None), None)
    ids = next((name for name in _RESULT_IDS if part.get(name) is not None), None)
    names = next((name for name in _RESULT_NAMES if part.get(name) is not None), None)
    return Part(
        "result",
        result_text(part.get(held or ""), f"{field}.{held}"),
        call_id=None if ids is None else str(part[ids]),
        name=None if names is None else str(part[names]),
        rest=_without(part, *(name for name in (held, ids, names) if name)),
    )


def _thinking(part: dict[str, Any], kind: str | None, field: str) -> Part | None:
    if kind == "redacted_thinking":
        return Part("thinking", rest=_without(part) | {"type": kind})
    if kind not in _THINKING_TYPES:
        return None
    held = next((name for name in ("thinking", "reasoning", *_TEXTS) if isinstance(part.get(name), str)), None)
    if held is None and isinstance(summary := part.get("summary"), list):
        return Part("thinking", message_text(summary, f"{field}.summary"), rest=_without(part, "summary"))
    if held is None:
        raise InvalidTrace(field, f"is a part of type {kind!r} without text. Leave it out")
    return Part("thinking", part[held], rest=_without(part, held))


def _without(part: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key not in ("type", *names) and value is not None}
