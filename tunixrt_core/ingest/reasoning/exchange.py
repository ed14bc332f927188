"""Prompt, answer and conversation of turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.reasoning.calls import hermes_system
from tunixrt_core.ingest.reasoning.split import Split, split_completion, split_fields, split_reasoning
from tunixrt_core.ingest.reasoning.steps import Rule
from tunixrt_core.ingest.reasoning.turn import Turn, roles_meant
from tunixrt_core.ingest.reasoning.turns import unmarked
from tunixrt_core.traces.conversation import NO_CONVERSATION, ROLES, Conversation, Message, Role, calls_text

_ADD = "Add it, or leave the row out"


class Exchange(NamedTuple):
    """A prompt and its answer, with the conversation around the prompt.

    `kept` is for `meta`: later turns, and keys of messages that no field of a trace holds. `names` leads from messages
    of the trace to those of the row, and `asked` is the place of the prompt, for errors.
    """

    system: str | None
    prompt: str
    answer: Turn
    kept: dict[str, Any]
    conversation: Conversation = NO_CONVERSATION
    names: Mapping[str, str] = {}
    asked: str = ""


def exchange_of(turns: Sequence[Turn], field: str, system: str | None = None) -> Exchange:
    """The last turn of the assistant that the file does not mark as untrained, and the last one of the user before it.

    Raises InvalidTrace where one of them is missing, or a turn has no role of a conversation.
    """
    if len(turns) in (2, 3) and _is_single(turns[-2], turns[-1]):  # most rows, in a tenth of the time
        if len(turns) == 2:
            return Exchange(system, turns[0].text, turns[1], {}, asked=turns[0].field)
        if system is None and turns[0].role == "system" and not turns[0].more and "<tools>" not in turns[0].text:
            return Exchange(turns[0].text, turns[1].text, turns[2], {}, asked=turns[1].field)
    answered = _answer(turns, field)
    asked = next((i for i in range(answered - 1, -1, -1) if turns[i].role == "user"), None)
    if asked is None:
        raise InvalidTrace(
            field, f"holds no turn of the user before the assistant's last; {roles_meant(turns, 'user')}. {_ADD}"
        )
    answer = turns[answered]
    first = int(system is None and turns[0].role == "system")
    before, between, later = turns[first:asked], turns[asked + 1 : answered], turns[answered + 1 :]
    if later:
        list(map(message_of, later))  # a misspelt role would make an earlier turn the answer
    own = {"system": turns[0].more if first else {}, "prompt": turns[asked].more, "answer": answer.more}
    names: dict[str, str] = {}
    if before or between:
        for name, group in (("messages", before), ("turns", between)):
            own |= {f"{name}[{i}]": unmarked(turn.more) for i, turn in enumerate(group)}
            names |= {f"{name}[{i}]": turn.field for i, turn in enumerate(group)}
    kept: dict[str, Any] = {"later": _raw(later)} if later else {}
    if more := {name: found for name, found in own.items() if found}:
        kept["message_keys"] = more
    told, tools = hermes_system(turns[0].text) if first else (system, ())
    conversation = NO_CONVERSATION
    if before or between or tools or answer.calls:
        messages, others = tuple(map(message_of, before)), tuple(map(message_of, between))
        conversation = Conversation(messages, others, tools, answer.calls)
    told = told or None if tools else told
    return Exchange(told, turns[asked].text, answer, kept, conversation, names, turns[asked].field)


def _is_single(asked: Turn, answer: Turn) -> bool:
    """Whether these are a question and its answer and nothing else, as in most rows."""
    return asked.role == "user" and answer.role == "assistant" and not (asked.more or answer.more or answer.calls)


def _answer(turns: Sequence[Turn], field: str) -> int:
    """The place of the turn that is trained: the last one of the assistant, or the last that is not left out."""
    spoken = [i for i, turn in enumerate(turns) if turn.role == "assistant"]
    if not spoken:
        raise InvalidTrace(field, f"holds no turn of the assistant; {roles_meant(turns, 'assistant')}. {_ADD}")
    asked = next((i for i, turn in enumerate(turns) if turn.role == "user"), len(turns))
    trained = [i for i in spoken if turns[i].train is not False and i > asked]
    return trained[-1] if trained else spoken[-1]


def message_of(turn: Turn) -> Message:
    """A turn as a message. Raises InvalidTrace for a role that no conversation has."""
    role: Role | None = next((known for known in ROLES if known == turn.role), None)
    if role is None:
        raise InvalidTrace(
            turn.field, f"has the role {turn.role!r}, which no conversation has. Use one of {', '.join(ROLES)}"
        )
    return Message(role, turn.text, turn.reasoning, turn.calls, turn.call_id, turn.name, turn.train)


def split_answer(turn: Turn, rule: Rule) -> Split:
    """Steps and answer of the assistant's turn; of one that only calls tools, the answer is their text.

    Raises InvalidTrace.
    """
    if turn.calls and not turn.text.strip():
        return split_reasoning(turn.reasoning, calls_text(turn.calls), rule)
    if turn.reasoning:
        return split_fields(turn.reasoning, turn.text, rule)
    key = next((key for key in ("value", "text", "parts") if key in turn.raw and "content" not in turn.raw), "content")
    found = split_completion(turn.text, f"{turn.field}.{key}", rule)
    if turn.calls and not found.final_answer.strip():
        return split_reasoning(turn.text, calls_text(turn.calls), rule)
    return found


def _raw(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """The messages of turns, each once."""
    found: list[dict[str, Any]] = []
    for turn in turns:
        if not found or found[-1] is not turn.raw:
            found.append(turn.raw)
    return found
