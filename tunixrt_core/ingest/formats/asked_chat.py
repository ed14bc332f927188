"""Format `asked_chat`: messages that wait for an answer, and its column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.columns.names import ANSWERS, COMPLETIONS, REASONINGS, REFERENCES
from tunixrt_core.ingest.formats import messages
from tunixrt_core.ingest.formats.chats import said_in, system_columns, tool_columns
from tunixrt_core.ingest.formats.fields import Item, Options, filled, only
from tunixrt_core.ingest.reasoning.turn import role_of
from tunixrt_core.traces.scores import ScoredTrace

NAME = "asked_chat"

_CHATS = ("messages", "conversations", "prompt", "input")
_WRITTEN = ("answer", *COMPLETIONS, *ANSWERS)
_RULE = "reward_model"  # of verl, an object with the answer to reach


class _Roles(NamedTuple):
    """What the columns of a row are. Where only the answer to reach is known, it is also the reference."""

    chat: str
    answer: str
    reasoning: str | None
    known: bool  # the answer is the one to reach

    @property
    def column(self) -> str:
        """The column that holds the answer, in itself or in an object."""
        return self.answer.partition(".")[0]


def matches(row: Mapping[str, Any]) -> bool:
    return _roles(row) is not None


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    roles = _roles(row)
    if roles is None:
        return {}
    answer = "final_answer" if roles.reasoning else "steps, final_answer"
    found = {
        roles.chat: said_in([*row[roles.chat], {"role": "assistant"}]).replace(", steps, final_answer", ""),
        roles.column: answer + (", reference_answer" if roles.known else ""),
        "source": "source",
        "model": "model",
    }
    if roles.reasoning:
        found[roles.reasoning] = "steps"
    return found | tool_columns(row) | system_columns(row)


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The answer becomes the assistant's turn, with the reasoning of its column; the rest is as in `messages`."""
    roles = _roles(row)
    if roles is None:
        raise InvalidTrace("messages", "ends with no user's turn, or no other column holds the answer.")
    told = _answer(row, roles)
    turn = {"role": "assistant", "content": told}
    if roles.reasoning:
        turn["reasoning_content"] = row[roles.reasoning]
    chat = [*row[roles.chat], turn]
    used = {roles.chat, roles.column, roles.reasoning}
    others = {name: value for name, value in row.items() if name not in used}
    if roles.column != roles.answer:  # what else the object says is kept
        others[roles.column] = {key: value for key, value in row[_RULE].items() if key != "ground_truth"}
    try:
        found = messages.read({**others, "messages": chat}, options)
    except InvalidTrace as fault:
        raise _in_the_file(fault, roles, len(chat) - 1) from None
    return [_with_reference(item, told) for item in found] if roles.known else found


def _roles(row: Mapping[str, Any]) -> _Roles | None:
    chat = next((name for name in _CHATS if _is_asked(row.get(name))), None)
    if chat is None:
        return None
    reasoning = next((name for name in REASONINGS if name != "solution" and filled(row.get(name))), None)
    for name in _WRITTEN:
        if name not in (chat, reasoning) and _held(row.get(name)):
            return _Roles(chat, name, reasoning, known=False)
    for name in REFERENCES:
        if name != chat and _held(row.get(name)):
            return _Roles(chat, name, reasoning, known=True)
    rule = row.get(_RULE)
    if isinstance(rule, Mapping) and _held(rule.get("ground_truth")):
        return _Roles(chat, f"{_RULE}.ground_truth", reasoning, known=True)
    return None


def _is_asked(value: Any) -> bool:
    """Whether it is messages that wait for an answer."""
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        return False
    roles = [role_of(item) for item in value]
    return roles[-1] == "user" and "assistant" not in roles


def _held(value: Any) -> str | None:
    """The text of an answer, also of a number or a list of one; None where there is none."""
    if isinstance(value, bool | int | float):
        return str(value)
    try:
        return filled(only(value, NAME))
    except InvalidTrace:
        return None


def _answer(row: Mapping[str, Any], roles: _Roles) -> str:
    inside = row[_RULE] if roles.column != roles.answer else row
    return str(_held(inside[roles.answer.rpartition(".")[2]]))


def _with_reference(item: Item, reference: str) -> Item:
    if isinstance(item, InvalidTrace):
        return item
    if isinstance(item, ScoredTrace):
        return replace(item, trace=replace(item.trace, reference_answer=reference))
    return replace(item, reference_answer=reference)


def _in_the_file(fault: InvalidTrace, roles: _Roles, last: int) -> InvalidTrace:
    """The fault with the field as the row names it."""
    turn = f"messages[{last}]"
    if fault.field.startswith(turn):
        return InvalidTrace(roles.answer, fault.reason)
    return InvalidTrace(fault.field.replace("messages", roles.chat, 1), fault.reason)
