"""Chat messages of any dialect, as turns of one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.reasoning.calls import calls_from_text, read_calls
from tunixrt_core.ingest.reasoning.parts import read_part, result_text
from tunixrt_core.ingest.reasoning.turn import (
    ROLE_KEYS,
    ROLES_IN_FILES,
    Turn,
    is_calling,
    is_item,
    of_parts,
    of_text,
    rest_of,
    told_role,
    unwrapped,
    usual_role,
)
from tunixrt_core.traces.conversation import Call
from tunixrt_core.util.kinds import kind_of

_NO_MESSAGE = "must be a message with `role` and text `content`"
_REASONING = ("reasoning_content", "thinking", "reasoning")
_TEXT_KEYS = ("content", "value", "text", "parts")
_CALL_KEYS = ("tool_calls", "function_call")
_CALL_IDS = ("tool_call_id", "call_id", "tool_use_id")
_TOOL_NAMES = ("name", "tool_name")
_REASONING_LISTS = ("reasoning_details", "thinking_blocks")
_ADDITIONAL = "additional_kwargs"  # where LangChain keeps what a provider adds
_LISTS_OF_LANGCHAIN = ("tool_calls", "invalid_tool_calls")  # which are there, and empty, in most messages
_PLAIN_KEYS = ({"role", "content"}, {"from", "value"})
# whether a turn is trained: keys that say so, and keys that say the opposite
_TRAINED = ("weight", "train", "training", "trainable", "train_on_turn", "loss", "loss_weight", "loss_mask")
_MASKED = ("masked", "mask")
_DETAIL = ("train_detail", "training_detail")  # of axolotl: which characters of a turn are trained


def read_turns(value: Any, field: str) -> list[Turn]:
    """The turns of messages, of which one may hold several. Raises InvalidTrace naming the message."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        wanted = "a list of messages" if isinstance(value, str) else "text or a list of messages"
        raise InvalidTrace(field, f"must be {wanted}, not {kind_of(value)}. Write each message as an object")
    turns = [turn for i, message in enumerate(value) for turn in read_message(message, f"{field}[{i}]")]
    return joined(turns, is_item) if any(map(is_item, turns)) else turns


def read_message(message: Any, field: str) -> Sequence[Turn]:
    """The turns of one message. Raises InvalidTrace at its field."""
    if not isinstance(message, dict):
        raise InvalidTrace(field, f"{_NO_MESSAGE}, not {kind_of(message)}. Write it as an object")
    if len(message) == 2 and message.keys() in _PLAIN_KEYS:  # most messages, in a tenth of the time
        said, content = (
            (message["role"], message["content"]) if "role" in message else (message["from"], message["value"])
        )
        role = ROLES_IN_FILES.get(said) if isinstance(said, str) else None
        if role is not None and isinstance(content, str) and "<tool_" not in content:
            return (Turn(role, content, {}, message, field),)
    held = unwrapped(message)
    if (told := told_role(held)) is None:
        if (pair := _pair(message, field)) is not None:
            return pair
        raise InvalidTrace(
            field, f"{_NO_MESSAGE}; it has the keys {', '.join(map(str, message)) or 'none'}. Rename them"
        )
    return _read(held, told, field, message)


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


def _pair(message: dict[str, Any], field: str) -> Sequence[Turn] | None:
    """Turns whose roles are the keys of one object, such as `{"human": ..., "assistant": ...}`; None for others."""
    roles = {**ROLES_IN_FILES, "input": "user", "output": "assistant", "question": "user", "answer": "assistant"}
    if len(message) < 2 or not all(str(key).lower() in roles and isinstance(v, str) for key, v in message.items()):
        return None
    said = [(roles[key.lower()], text, f"{field}.{key}") for key, text in message.items()]
    return [Turn(role, text, {}, {"role": role, "content": text}, at) for role, text, at in said if text]


def _read(message: Mapping[str, Any], told: str, field: str, raw: dict[str, Any]) -> Sequence[Turn]:
    role = usual_role(told)
    key = next((key for key in _TEXT_KEYS if key in message), None)
    content = message.get(key or "")
    if isinstance(content, dict) and isinstance(content.get("parts"), list):
        content = content["parts"]
    by = next((name for name in ROLE_KEYS if name in message), "type")
    more = {name: value for name, value in message.items() if name not in (by, key) and value is not None}
    own = Turn(role, "", more, raw, field)
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
    if is_calling(told) and (found := calls_from_text(text)) is not None:
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
    raise InvalidTrace(field, f"{_NO_MESSAGE}; it has {found}. Write the content as text or as parts")


# --- what is in a turn -----------------------------------------------------------------------------------------------


def _assistant(turn: Turn, message: Mapping[str, Any]) -> Turn:
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
    turn = turn._replace(calls=calls, reasoning=reasoning, train=_train(message))
    return _of_langchain(turn, message[_ADDITIONAL]) if isinstance(message.get(_ADDITIONAL), Mapping) else turn


def _of_langchain(turn: Turn, added: Mapping[str, Any]) -> Turn:
    """With the calls and the reasoning that LangChain holds as the provider gave them, unless it has them itself."""
    used = []
    if added.get("tool_calls"):
        calls, _ = read_calls(added["tool_calls"], f"{turn.field}.{_ADDITIONAL}.tool_calls")
        if not turn.calls or calls == turn.calls:
            turn, used = turn._replace(calls=calls), ["tool_calls"]
    if not turn.reasoning and (reasoning := reasoning_of(added)):
        turn = turn._replace(reasoning=reasoning)
        used += [key for key in _REASONING if added.get(key) == reasoning]
    left = rest_of(added, *used)
    more = rest_of(turn.more, _ADDITIONAL, *(key for key in _LISTS_OF_LANGCHAIN if turn.more.get(key) == []))
    return turn._replace(more=more | ({_ADDITIONAL: left} if left else {}))


def reasoning_of(message: Mapping[str, Any]) -> str | None:
    """The reasoning that a message holds apart from its content."""
    found = (message.get(key) for key in _REASONING)
    told = next((value for value in found if isinstance(value, str) and value.strip()), None)
    return told if told is not None or message.keys().isdisjoint(_REASONING_LISTS) else _listed_reasoning(message)


def _listed_reasoning(message: Mapping[str, Any]) -> str | None:
    """The texts of a list of parts of reasoning, as OpenRouter and LiteLLM hold them; the parts stay in `meta`."""
    lists = (message[key] for key in _REASONING_LISTS if isinstance(message.get(key), list))
    parts: list[Any] = next(lists, [])
    texts = [part.get("text", part.get("thinking")) for part in parts if isinstance(part, Mapping)]
    return "".join(text for text in texts if isinstance(text, str)) or None


def _train(message: Mapping[str, Any]) -> bool | None:
    if (parts := next((message[key] for key in _DETAIL if message.get(key)), None)) and (marks := _marks(parts)):
        return any(marks)
    for key in _TRAINED:
        if isinstance(value := message.get(key), bool | int | float):
            return value > 0
    for key in _MASKED:
        if isinstance(value := message.get(key), bool | int):
            return not value
    return None


def _marks(parts: Any) -> list[bool]:
    """The marks of the parts of a turn, as axolotl writes them; none where they are of another kind."""
    marks = [part.get("train") for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    return [mark for mark in marks if isinstance(mark, bool)]


def is_partly_trained(more: Mapping[str, Any]) -> bool:
    """Whether the file marks parts of a turn as trained and others as not trained."""
    return any(len(set(_marks(more.get(key)))) > 1 for key in _DETAIL)


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
