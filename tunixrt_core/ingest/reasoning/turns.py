"""Chat messages of any dialect, as turns of one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.reasoning.calls import calls_from_text, read_calls
from tunixrt_core.ingest.reasoning.parts import read_part, result_text
from tunixrt_core.ingest.reasoning.turn import Turn, of_parts, of_text
from tunixrt_core.traces.conversation import Call
from tunixrt_core.util.kinds import kind_of

_ROLES = (
    dict.fromkeys(("user", "human", "prompter"), "user")
    | dict.fromkeys(("assistant", "gpt", "model", "chatgpt", "bot", "ai", "agent", "chatbot"), "assistant")
    | dict.fromkeys(("system", "developer"), "system")
    | dict.fromkeys(("tool", "function", "ipython", "observation", "environment"), "tool")
    | dict.fromkeys(("tool_response", "function_response", "tool_result", "function_result"), "tool")
)
_ROLES_OF_TYPES = {"function_call": "assistant", "reasoning": "assistant", "function_call_output": "tool"}
_CALLING = frozenset({"function_call", "tool_call", "tool_calls"})  # roles whose text is a call of the assistant
_NO_MESSAGE = "must be a message with `role` and text `content`"
_SHOWN = 8
_REASONING = ("reasoning_content", "thinking", "reasoning")
_ROLE_KEYS = ("role", "from", "speaker")
_TEXT_KEYS = ("content", "value", "text", "parts")
_CALL_KEYS = ("tool_calls", "function_call")
_CALL_IDS = ("tool_call_id", "call_id", "tool_use_id")
_TOOL_NAMES = ("name", "tool_name")
_PLAIN_KEYS = ({"role", "content"}, {"from", "value"})
# whether a turn is trained: keys that say so, and keys that say the opposite
_TRAINED = ("weight", "train", "training", "trainable", "loss", "loss_weight", "loss_mask")
_MASKED = ("masked", "mask")


def read_turns(value: Any, field: str) -> list[Turn]:
    """The turns of messages, of which one may hold several. Raises InvalidTrace naming the message."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        wanted = "a list of messages" if isinstance(value, str) else "text or a list of messages"
        raise InvalidTrace(field, f"must be {wanted}, not {kind_of(value)}. Write each message as an object")
    turns = [turn for i, message in enumerate(value) for turn in _turns(message, f"{field}[{i}]")]
    return joined(turns, _is_item) if any(map(_is_item, turns)) else turns


def roles_of(turns: Sequence[Turn]) -> str:
    """The roles of turns, for a message."""
    return ", ".join(repr(turn.role) for turn in turns[:_SHOWN]) or "none"


def last_role(turns: Sequence[Turn]) -> str:
    """The role of the last turn, for a message."""
    return repr(turns[-1].role) if turns else "with nothing"


def roles_meant(turns: Sequence[Turn], wanted: str) -> str:
    """The existing roles, and the one that may be meant."""
    alike = get_close_matches(wanted, {turn.role for turn in turns}, 1, 0.7)
    hint = f". Did you mean {wanted!r} by {alike[0]!r}?" if alike and alike[0] != wanted else ""
    return f"its roles are {roles_of(turns)}{hint}"


def role_of(message: Any) -> str | None:
    """The role of a message in the words of a conversation; None for what has none."""
    told = _role(message) if isinstance(message, Mapping) else None
    return None if told is None else _usual(told)


def _usual(told: str) -> str:
    word = told.strip().lower().replace("-", "_")
    return "assistant" if word in _CALLING else _ROLES.get(word, told)


def _turns(message: Any, field: str) -> Sequence[Turn]:
    if not isinstance(message, dict):
        raise InvalidTrace(field, f"{_NO_MESSAGE}, not {kind_of(message)}")
    if len(message) == 2 and message.keys() in _PLAIN_KEYS:  # most messages, in a tenth of the time
        said, content = (
            (message["role"], message["content"]) if "role" in message else (message["from"], message["value"])
        )
        role = _ROLES.get(said) if isinstance(said, str) else None
        if role is not None and isinstance(content, str) and "<tool_" not in content:
            return (Turn(role, content, {}, message, field),)
    if (told := _role(message)) is None:
        if (pair := _pair(message, field)) is not None:
            return pair
        raise InvalidTrace(field, f"{_NO_MESSAGE}; it has the keys {', '.join(map(str, message)) or 'none'}")
    return _read(message, told, field)


def _is_item(turn: Turn) -> bool:
    """Whether it is a part of a turn that OpenAI's responses write as an item of its own: reasoning, or a call."""
    return _ROLES_OF_TYPES.get(str(turn.raw.get("type"))) == "assistant" and turn.raw.keys().isdisjoint(_ROLE_KEYS)


def joined(turns: Sequence[Turn], is_part: Callable[[Turn], bool]) -> list[Turn]:
    """The turns, where each part is one turn with the assistant's turn beside it.

    Reasoning, text and calls are joined if they follow one another in this order.
    """
    made: list[Turn] = []
    for turn in turns:
        last = made[-1] if made else None
        begins = bool(turn.reasoning) or bool(turn.text)  # text behind text, and both behind a call
        if (
            last is None
            or {last.role, turn.role} != {"assistant"}
            or not (is_part(last) or is_part(turn))
            or (begins and (last.calls or last.text))
        ):
            made.append(turn)
            continue
        made[-1] = last._replace(
            text=last.text + turn.text,
            reasoning=last.reasoning + turn.reasoning,
            calls=last.calls + turn.calls,
            more=_both(last.more, turn.more),
            raw={"type": "reasoning", "items": [*last.raw.get("items", [last.raw]), turn.raw]},
        )
    return made


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of two messages; lists under the same key, such as `content`, follow one another."""
    lists = {
        key: held + other[key]
        for key, held in one.items()
        if isinstance(held, list) and isinstance(other.get(key), list)
    }
    return {**one, **other, **lists}


def _role(message: Mapping[str, Any]) -> str | None:
    """The role in the words of the file; of LangChain's messages and of OpenAI's responses, the type says it."""
    key = next((key for key in _ROLE_KEYS if key in message), None)
    if key is not None:
        return message[key] if isinstance(message[key], str) else None
    kind = message.get("type")
    if not isinstance(kind, str):
        return None
    return _ROLES_OF_TYPES.get(kind, kind if "content" in message and kind in _ROLES else None)


def _pair(message: dict[str, Any], field: str) -> Sequence[Turn] | None:
    """Turns whose roles are the keys of one object, such as `{"human": ..., "assistant": ...}`; None for others."""
    roles = _ROLES | {"input": "user", "output": "assistant", "question": "user", "answer": "assistant"}
    if len(message) < 2 or not all(str(key).lower() in roles and isinstance(v, str) for key, v in message.items()):
        return None
    said = [(roles[key.lower()], text, f"{field}.{key}") for key, text in message.items()]
    return [Turn(role, text, {}, {"role": role, "content": text}, at) for role, text, at in said if text]


def _read(message: dict[str, Any], told: str, field: str) -> Sequence[Turn]:
    role = _usual(told)
    key = next((key for key in _TEXT_KEYS if key in message), None)
    content = message.get(key or "")
    if isinstance(content, dict) and isinstance(content.get("parts"), list):
        content = content["parts"]
    used = {*_ROLE_KEYS, key} if message.keys() & set(_ROLE_KEYS) else {key}
    more = {name: value for name, value in message.items() if name not in used and value is not None}
    own = Turn(role, "", more, message, field)
    if role == "assistant":
        own = _assistant(own, message)
    elif role == "tool":
        own = _tool(own, message)
    if isinstance(content, list):
        return of_parts(own, [read_part(part, f"{field}.{key}[{i}]") for i, part in enumerate(content)], content)
    if key is None and role == "assistant" and message.get("type") in ("function_call", "reasoning"):
        return of_parts(own._replace(more={}), [read_part(message, field)], [message])
    if key is None and role == "tool" and "output" in message:
        del own.more["output"]
        own.more.pop("type", None)
        return (own._replace(text=result_text(message["output"], f"{field}.output")),)
    text = _text(content, field, message, role)
    if told.strip().lower().replace("-", "_") in _CALLING and (found := calls_from_text(text)) is not None:
        return (own._replace(text=found[0], calls=own.calls + found[1]),)
    return of_text(own, text)


def _text(content: Any, field: str, message: Mapping[str, Any], role: str) -> str:
    if isinstance(content, str):
        return content
    if role == "tool" and content is not None:
        return result_text(content, field)
    if content is None and any(key in message for key in ("content", *_CALL_KEYS)):
        return ""  # a turn that only calls tools
    found = "no `content`" if content is None else f"{kind_of(content)} as `content`"
    raise InvalidTrace(field, f"{_NO_MESSAGE}; it has {found}")


# --- what is in a turn -----------------------------------------------------------------------------------------------


def _assistant(turn: Turn, message: dict[str, Any]) -> Turn:
    """With the calls, the reasoning and the mark of a turn of the assistant."""
    calls: tuple[Call, ...] = ()
    for key in _CALL_KEYS:
        if value := message.get(key):
            found, rest = read_calls(value, f"{turn.field}.{key}")
            calls += found
            turn.more.pop(key, None)
            if rest:
                turn.more[key] = rest
    reasoning = reasoning_of(message) or ""
    for key in _REASONING if reasoning else ():
        if message.get(key) == reasoning:
            turn.more.pop(key, None)
    return turn._replace(calls=calls, reasoning=reasoning, train=_train(message))


def reasoning_of(message: Mapping[str, Any]) -> str | None:
    """The reasoning that a message holds apart from its content."""
    found = (message.get(key) for key in _REASONING)
    return next((value for value in found if isinstance(value, str) and value.strip()), None)


def _train(message: Mapping[str, Any]) -> bool | None:
    for key in _TRAINED:
        if isinstance(value := message.get(key), bool | int | float):
            return value > 0
    for key in _MASKED:
        if isinstance(value := message.get(key), bool | int):
            return not value
    return None


def unmarked(more: Mapping[str, Any]) -> dict[str, Any]:
    """What `train` of a message does not say already."""
    exact = (True, False)
    return {key: value for key, value in more.items() if not (key in (*_TRAINED, *_MASKED) and value in exact)}


def _tool(turn: Turn, message: Mapping[str, Any]) -> Turn:
    """With the call that the result answers and the name of the tool."""
    ids = next((key for key in _CALL_IDS if message.get(key) is not None), None)
    names = (*_TOOL_NAMES, "function")  # Inspect names the tool so
    name = next((key for key in names if isinstance(message.get(key), str) and message[key]), None)
    for key in (ids, name):
        turn.more.pop(key or "", None)
    return turn._replace(
        call_id=None if ids is None else str(message[ids]), name=None if name is None else message[name]
    )
