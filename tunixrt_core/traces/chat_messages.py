"""Chat messages of OpenAI's form, to and from the conversation of a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.conversation import FIELDS, calls_text, conversation_of, read_arguments

# the keys of a message in the JSON form of a trace, and their names here, in the order that they are written in
_MESSAGE = {"role": "role", "reasoning": "reasoning_content", "content": "content", "calls": "tool_calls"}
_MESSAGE |= {"call_id": "tool_call_id", "name": "name", "train": "train"}
_READ = {key: name for name, key in _MESSAGE.items()}
_PLAIN = {"role", "content"}
_CONVERSATION = frozenset(FIELDS)


class ChatParts(NamedTuple):
    """What some traces hold that decides the form of their rows.

    * `system`: a system text.
    * `conversation`: turns beside prompt and answer, tools or calls.
    * `keys`: messages with keys beside role and content, such as calls, or definitions of tools.
    """

    system: bool = False
    conversation: bool = False
    keys: bool = False

    def joined(self, other: ChatParts) -> ChatParts:
        """The parts that either holds."""
        return ChatParts(*(a or b for a, b in zip(self, other, strict=True)))


NO_PARTS = ChatParts()


def is_conversation(data: Mapping[str, Any]) -> bool:
    """Whether a trace in its JSON form has turns beside prompt and answer, tools or calls."""
    return not _CONVERSATION.isdisjoint(data)


def chat_parts(data: Mapping[str, Any]) -> ChatParts:
    """The parts of a trace in its JSON form."""
    turns = (*data.get("messages", ()), *data.get("turns", ()))
    apart = any(data.get(name) for name in ("turns", "tools", "calls"))
    return ChatParts(
        system=data.get("system") is not None,
        conversation=is_conversation(data),
        keys=apart or any(message.keys() - _PLAIN for message in turns),
    )


# --- out -------------------------------------------------------------------------------------------------------------


def before_answer(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every message before the final turn of a trace in its JSON form: system text, earlier turns, prompt, turns."""
    return [*asked(data), *later_turns(data)] if "turns" in data else asked(data)


def asked(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages up to the prompt, which is the last of them."""
    user = {"role": "user", "content": data["prompt"]}
    system = data.get("system")
    first = [] if system is None else [{"role": "system", "content": system}]
    return [*first, *map(_written, data["messages"]), user] if "messages" in data else [*first, user]


def later_turns(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages between prompt and final turn."""
    return list(map(_written, data.get("turns", ())))


def final_turn(content: str, data: Mapping[str, Any], reasoning: str | None = None) -> dict[str, Any]:
    """The last message: what it says, and the calls of the trace."""
    found: dict[str, Any] = {"role": "assistant", "content": content}
    if reasoning is not None:
        found = {"role": "assistant", "reasoning_content": reasoning, "content": content}
    if "calls" in data:
        found["tool_calls"] = list(map(_written_call, data["calls"]))
    return found


def said_beside_calls(data: Mapping[str, Any]) -> str:
    """The final answer of a trace, empty where it only says its calls again, which the message holds already."""
    answer: str = data["final_answer"]
    if "calls" not in data or "answer_at" in data.get("layout", ()):
        return answer
    return "" if answer == calls_text(conversation_of({"calls": data["calls"]}).calls) else answer


def _written(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message of a trace in its JSON form, as OpenAI's API has it, with `reasoning_content` and `train`."""
    held = {"content": "", **message}
    if "calls" in held:
        held["calls"] = list(map(_written_call, held["calls"]))
    return {key: held[name] for name, key in _MESSAGE.items() if name in held}


def _written_call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments are JSON text, as OpenAI's API has them: objects of other keys in each row would be no table."""
    name = {} if call.get("id") is None else {"id": call["id"]}
    return name | {
        "type": "function",
        "function": {"name": call["name"], "arguments": call.get("arguments", "{}")},
    }


# --- back ------------------------------------------------------------------------------------------------------------


class Exported(NamedTuple):
    """The messages of an exported row, taken apart. `conversation` is the JSON form of that of a trace."""

    prompt: str
    content: str
    reasoning: str | None
    conversation: dict[str, Any]


def read_exported(messages: Sequence[Any], tools: Any, *, system: bool) -> Exported:
    """The parts of what this module wrote; `system` says whether the first message is the system text.

    Keys whose value is null are taken as absent, as tables fill them in. Raises InvalidTrace for another form.
    """
    said = [_object(message, f"messages[{i}]") for i, message in enumerate(messages)]
    place = next((i for i in range(len(said) - 2, -1, -1) if said[i].get("role") == "user"), None)
    if place is None or place < system:
        raise InvalidTrace("messages", "hold no turn of the user before the last one. Put the prompt there")
    read = [_read(message, f"messages[{i}]") for i, message in enumerate(said)]
    found = {
        "messages": read[system:place],
        "turns": read[place + 1 : -1],
        "tools": _tools(tools),
        "calls": read[-1].get("calls"),
    }
    conversation = {name: found[name] for name in FIELDS if found[name]}
    last = read[-1]
    return Exported(read[place]["content"], last["content"], last.get("reasoning"), conversation)


def _read(message: Mapping[str, Any], field: str) -> dict[str, Any]:
    """The JSON form in a trace. Whether its values are of the right type is the trace's to check."""
    if unknown := sorted(message.keys() - _READ.keys()):
        raise InvalidTrace(f"{field}.{unknown[0]}", "is no key of an exported message. Leave it out")
    if not isinstance(message.get("content"), str):
        raise InvalidTrace(f"{field}.content", "is missing. Give the message its text")
    found = {_READ[key]: value for key, value in message.items()}
    if "calls" in found:
        found["calls"] = _read_calls(found["calls"], f"{field}.tool_calls")
    return found


def _read_calls(calls: Any, field: str) -> list[dict[str, Any]]:
    if not isinstance(calls, list):
        raise InvalidTrace(field, "must be a list of calls")
    found = []
    for i, one in enumerate(calls):
        call = _object(one, f"{field}[{i}]")
        called = _object(call.get("function"), f"{field}[{i}].function")
        if call.keys() - {"id", "type", "function"} or called.keys() != {"name", "arguments"}:
            raise InvalidTrace(f"{field}[{i}]", "is no call of an exported message")
        own = {"id": call["id"]} if "id" in call else {}
        found.append({"name": called["name"], "arguments": read_arguments(called["arguments"])} | own)
    return found


def _tools(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidTrace("tools", f"is text that is not JSON ({error})") from None


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidTrace(field, "must be an object")
    return {key: item for key, item in value.items() if item is not None}
