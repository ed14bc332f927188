"""Requests to a model and its responses, as logs of other programs hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import Item
from tunixrt_core.ingest.reasoning.turn import Turn, role_of
from tunixrt_core.ingest.reasoning.turns import joined, read_message, read_turns
from tunixrt_core.util.kinds import kind_of

_ASKED = ("messages", "input", "contents")  # keys of a request with the messages
_SAID = ("choices", "generations", "candidates", "output")  # keys of a response with its answers
_OF_ANSWER = ("message", "content")

# the turns of one answer of a response, or what is wrong with it
Answer = list[Turn] | InvalidTrace


def value_of(value: Any) -> Any:
    """A value that may be written as JSON text."""
    if isinstance(value, str) and value[:1] in ("[", "{", '"'):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def is_chat(asked: Any, said: Any) -> bool:
    """Whether a request holds messages, and there is a response."""
    found = _messages(value_of(asked))[0]
    return said is not None and bool(found) and all(role_of(message) for message in found)


def asked_turns(value: Any, field: str) -> list[Turn]:
    """The turns of a request: text, messages, or an object that holds them. Raises InvalidTrace."""
    if isinstance(value, str):
        return [Turn("user", value, {}, {"role": "user", "content": value}, field)]
    found, key = _messages(value)
    if found:
        return read_turns(found, f"{field}.{key}" if key else field)
    raise InvalidTrace(
        field, f"must be text or messages, not {kind_of(value)}. Export the calls of the model themselves"
    )


def request_rest(value: Any) -> dict[str, Any]:
    """What a request holds beside its messages."""
    key = _messages(value)[1]
    return {name: held for name, held in value.items() if name != key} if isinstance(value, Mapping) else {}


def response_rest(value: Any) -> dict[str, Any]:
    """What a response of an API holds beside its answers, such as usage, and each choice beside its message."""
    key = next((key for key in _SAID if isinstance(value, Mapping) and isinstance(value.get(key), list)), None)
    if key is None:
        return {}
    listed = [one for one in _flat(value[key]) if isinstance(one, Mapping)]
    more = [{name: held for name, held in one.items() if name not in (*_OF_ANSWER, "text")} for one in listed]
    left = {name: held for name, held in value.items() if name != key}
    return left | ({key: more} if any(more) and key != "output" else {})


def answers(value: Any, field: str) -> list[Answer]:
    """The turns of each answer of a response; more than one where several were requested.

    An answer may be text, a message, its parts, messages that follow one another, or inside an object of an API. A
    choice that is none of these is a fault, which takes no other choice away. Raises InvalidTrace.
    """
    if isinstance(value, str):
        return [[Turn("assistant", value, {}, {"role": "assistant", "content": value}, field)]]
    if isinstance(value, Mapping):
        if isinstance(value.get("messages"), list):
            return [read_turns(value["messages"], f"{field}.messages")]
        for key in _SAID:
            if isinstance(held := value.get(key), list) and held:
                found = _flat(held)
                if key == "output":  # the items of OpenAI's responses
                    return [read_turns(found, f"{field}.output")]
                return [or_fault(_answer, each, f"{field}.{key}[{i}]") for i, each in enumerate(found)]
        return [_answer(value, field)]
    if isinstance(value, list) and value:
        if not any(map(role_of, value)):  # the parts of one message
            return [read_turns([{"role": "assistant", "content": value}], field)]
        return [read_turns(value, field)]
    raise InvalidTrace(field, f"must be text or a message, not {kind_of(value)}. Leave the row out")


def or_fault(read: Callable[[Any, str], Sequence[Turn]], value: Any, field: str) -> Answer:
    """What `read` finds in one of several choices, or its fault in place of it."""
    try:
        return list(read(value, field))
    except InvalidTrace as fault:
        return fault


def items_of(found: Sequence[Answer], make: Callable[[int, list[Turn]], Item]) -> list[Item]:
    """What `make` makes of each answer and its number. A fault stands for the one answer that gives no trace."""
    items: list[Item] = []
    for i, answer in enumerate(found):
        try:
            items.append(answer if isinstance(answer, InvalidTrace) else make(i, answer))
        except InvalidTrace as fault:
            items.append(fault)
    return items


def _answer(value: Any, field: str) -> list[Turn]:
    """One choice of a response: a message, or an object with one. Raises InvalidTrace."""
    if not isinstance(value, Mapping):
        raise InvalidTrace(field, f"must be a message, not {kind_of(value)}. Write the choice as an object")
    inner = next((value[key] for key in _OF_ANSWER if isinstance(value.get(key), Mapping)), value)
    message = inner if role_of(inner) else {"role": "assistant", **inner}
    return [turn._replace(field=field) for turn in read_message(message, field)]


def _messages(value: Any) -> tuple[Sequence[Any], str]:
    """The messages of a request and the key that holds them; none where there are none."""
    if isinstance(value, Mapping):
        for key in _ASKED:
            if isinstance(held := value.get(key), list):
                return _flat(held), key
        return (), ""
    return (_flat(value), "") if isinstance(value, list) else ((), "")


def _flat(held: Sequence[Any]) -> Sequence[Any]:
    """The one list in a list of lists, as LangChain writes a batch of one."""
    return held[0] if len(held) == 1 and isinstance(held[0], list) else held


def ordered(message: Any) -> Any:
    """A message of a span with its reasoning first: some instrumentations write it behind the text that it led to.

    A reasoning that is the JSON text of a list of summaries becomes their text.
    """
    parts = message.get("parts") if isinstance(message, Mapping) else None
    if not isinstance(parts, list) or not any(map(_is_reasoning, parts)):
        return message
    told = [{**part, "content": _summary(part.get("content"))} if _is_reasoning(part) else part for part in parts]
    if not _is_reasoning(told[0]):
        told.sort(key=lambda part: not _is_reasoning(part))
    return {**message, "parts": told}


def choices(messages: Sequence[Answer]) -> list[Answer]:
    """The answers of an output, whose messages are one each. One that is reasoning alone belongs to the next."""
    made: list[Answer] = []
    waiting: list[Turn] | None = None  # the last answer, while it is reasoning alone
    for turns in messages:
        if isinstance(turns, InvalidTrace):
            made.append(turns)
            waiting = None
            continue
        if waiting is None:
            last = turns
            made.append(last)
        else:
            last = made[-1] = joined([*waiting, *turns], lambda turn: True)
        waiting = last if all(map(_is_reasoning_turn, last)) else None
    return made


def _is_reasoning_turn(turn: Turn) -> bool:
    return turn.role == "assistant" and not turn.text.strip() and not turn.calls


def with_reasoning(said: list[Answer], response: Any) -> list[Answer]:
    """The answers of a span, with the reasoning that the response of the API has beside the same texts."""
    try:
        told = answers(response, "") if isinstance(response, Mapping) else []
    except InvalidTrace:
        return said
    if len(told) != len(said):
        return said
    return [_with_reasoning(one, other) for one, other in zip(said, told, strict=True)]


def _with_reasoning(said: Answer, told: Answer) -> Answer:
    if isinstance(said, InvalidTrace) or isinstance(told, InvalidTrace):
        return said
    is_same = [turn.text for turn in said] == [turn.text for turn in told] and not any(turn.reasoning for turn in said)
    return [a._replace(reasoning=b.reasoning) for a, b in zip(said, told, strict=True)] if is_same else said


def _is_reasoning(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "reasoning"


def _summary(content: Any) -> Any:
    found = value_of(content)
    if isinstance(found, list) and found and all(isinstance(one, dict) for one in found):
        texts = [one.get("text") for one in found]
        if all(isinstance(text, str) for text in texts):
            return "\n\n".join(map(str, texts))
    return content
