"""Chat messages of any dialect: prompt, answer and other turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.reasoning.split import Split, split_completion, split_fields
from tunixrt_core.ingest.reasoning.steps import Rule
from tunixrt_core.util.kinds import kind_of

_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "developer": "system",
}
_NO_MESSAGE = "must be a message with `role` and text `content`"
_SHOWN = 8
_REASONING = ("reasoning_content", "thinking", "reasoning")


class Turn(NamedTuple):
    """One message. `more` holds its keys besides role and text; `field` is its path in the row."""

    role: str
    text: str
    more: dict[str, Any]
    raw: dict[str, Any]
    field: str


class Exchange(NamedTuple):
    """A prompt and its answer. `kept` is what the other turns and the other keys of these held, for `meta`."""

    system: str | None
    prompt: str
    answer: Turn
    kept: dict[str, Any]


def read_turns(value: Any, field: str) -> list[Turn]:
    """Messages with `role` and `content`, or `from` and `value`. Raises InvalidTrace naming the message."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise InvalidTrace(
            field, f"must be text or a list of messages, not {kind_of(value)}. Write each message as an object"
        )
    return [_turn(message, f"{field}[{i}]") for i, message in enumerate(value)]


def exchange_of(turns: Sequence[Turn], field: str, system: str | None = None) -> Exchange:
    """The last turn of the assistant and the last one of the user before it; a first system turn, if any.

    Every other turn is kept as it is: `earlier` before the prompt, `between` prompt and answer, `later`.
    """
    answered = next((i for i in range(len(turns) - 1, -1, -1) if turns[i].role == "assistant"), None)
    if answered is None:
        raise InvalidTrace(field, f"holds no turn of the assistant; {_roles_meant(turns, 'assistant')}")
    asked = next((i for i in range(answered - 1, -1, -1) if turns[i].role == "user"), None)
    if asked is None:
        raise InvalidTrace(
            field, f"holds no turn of the user before the assistant's last; {_roles_meant(turns, 'user')}"
        )
    first = int(system is None and turns[0].role == "system")
    groups = {
        "earlier": turns[first:asked],
        "between": turns[asked + 1 : answered],
        "later": turns[answered + 1 :],
    }
    kept: dict[str, Any] = {name: [turn.raw for turn in group] for name, group in groups.items() if group}
    own = {"system": turns[0].more if first else {}, "prompt": turns[asked].more, "answer": turns[answered].more}
    if more := {name: found for name, found in own.items() if found}:
        kept["message_keys"] = more
    return Exchange(turns[0].text if first else system, turns[asked].text, turns[answered], kept)


def roles_of(turns: Sequence[Turn]) -> str:
    """The roles of turns, for a message."""
    return ", ".join(repr(turn.role) for turn in turns[:_SHOWN]) or "none"


def last_role(turns: Sequence[Turn]) -> str:
    """The role of the last turn, for a message."""
    return repr(turns[-1].role) if turns else "with nothing"


def _roles_meant(turns: Sequence[Turn], wanted: str) -> str:
    """The roles that there are, and the one that may be meant."""
    alike = get_close_matches(wanted, {turn.role for turn in turns}, 1, 0.7)
    hint = f". Did you mean {wanted!r} by {alike[0]!r}?" if alike and alike[0] != wanted else ""
    return f"its roles are {roles_of(turns)}{hint}"


def reasoning_of(message: Mapping[str, Any]) -> str | None:
    """The reasoning that a message holds apart from its content."""
    found = (message.get(key) for key in _REASONING)
    return next((value for value in found if isinstance(value, str) and value.strip()), None)


def split_turn(turn: Turn, rule: Rule) -> Split:
    """Steps and answer of the assistant's turn. Raises InvalidTrace."""
    if reasoning := reasoning_of(turn.raw):
        return split_fields(reasoning, turn.text, rule)
    key = "value" if "value" in turn.raw else "content"
    return split_completion(turn.text, f"{turn.field}.{key}", rule)


def _turn(message: Any, field: str) -> Turn:
    if not isinstance(message, dict):
        raise InvalidTrace(field, f"must be a message with `role` and text `content`, not {kind_of(message)}")
    role, content = (message.get(key, message.get(other)) for key, other in (("role", "from"), ("content", "value")))
    used = {"role", "from", "content", "value"} if "role" in message or "from" in message else set()
    if not isinstance(role, str) or not used:
        raise InvalidTrace(field, f"{_NO_MESSAGE}; it has the keys {', '.join(map(str, message)) or 'none'}")
    more = {key: value for key, value in message.items() if key not in used and value is not None}
    if reasoning := reasoning_of(message):
        more = {key: value for key, value in more.items() if not (key in _REASONING and value == reasoning)}
    if isinstance(content, list) and len(content) > 1:
        more["content"] = content
    return Turn(_ROLES.get(role, role), _text(content, field, message), more, message, field)


def _text(content: Any, field: str, keys: Mapping[str, Any]) -> str:
    """The text of a content: a string, or parts that are all text. A message of tool calls may have none."""
    if isinstance(content, str):
        return content
    if content is None and any(key in keys for key in ("content", "tool_calls", "function_call")):
        return ""  # a turn that only calls tools; as an answer it is empty, which the trace refuses
    if not isinstance(content, list):
        found = "no `content`" if content is None else f"{kind_of(content)} as `content`"
        raise InvalidTrace(field, f"{_NO_MESSAGE}; it has {found}")
    return message_text(content, f"{field}.content")


def message_text(content: Any, field: str) -> str:
    """Text, or parts that are all text. Raises InvalidTrace naming the part that is not."""
    if isinstance(content, str) or content is None:
        return content or ""
    if not isinstance(content, list):
        raise InvalidTrace(field, f"must be text or a list of parts, not {kind_of(content)}")
    return "".join(_part(part, f"{field}[{i}]") for i, part in enumerate(content))


def _part(part: Any, field: str) -> str:
    if isinstance(part, str):
        return part
    found = part.get("text") if isinstance(part, dict) else None
    if not isinstance(found, str):
        kind = part.get("type") if isinstance(part, dict) else type(part).__name__
        raise InvalidTrace(
            field, f"is a part of type {kind!r}; only text can be read. Leave the part out, or write it as text"
        )
    return found
