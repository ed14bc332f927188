"""Conversation: the messages around a prompt, with tool calls and results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec
import orjson

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.util.hashing import check_json, check_text
from tunixrt_core.util.kinds import kind_of

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)
Tool = dict[str, Any]  # the definition of a function, as OpenAI's `tools` hold it


class Call(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One tool call. `arguments` is an object, or the text that the model wrote where that is no object."""

    name: str
    arguments: dict[str, Any] | str = msgspec.field(default_factory=dict)
    id: str | None = None


class Message(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One turn of a conversation.

    * `reasoning`: what an assistant thought before its content, where the file holds it apart.
    * `calls`: the tools that an assistant calls behind its content.
    * `call_id`, `name`: of a tool, which call its result answers and which tool it is.
    * `train`: whether the file marks a turn of the assistant as trained; None where it marks nothing.
    """

    role: Role
    content: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    call_id: str | None = None
    name: str | None = None
    train: bool | None = None

    @property
    def thought_and_content(self) -> tuple[str, str]:
        """Reasoning and content, split at `</think>` where the content holds both, as Qwen's template does."""
        if self.reasoning or "</think>" not in self.content:
            return self.reasoning, self.content
        before, said = self.content.split("</think>")[0], self.content.split("</think>")[-1]
        return before.rstrip("\n").split("<think>")[-1].lstrip("\n"), said.lstrip("\n")

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without what is empty."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each text that is rendered, by its name."""
        if self.reasoning:
            yield "reasoning", self.reasoning
        yield "content", self.content
        yield from ((f"calls[{i}]", call_text(call)) for i, call in enumerate(self.calls))


class Conversation(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The context of a prompt and its answer; empty for a trace of one question.

    * `messages`: the turns before the prompt, without the leading system text, which a trace holds as `system`.
    * `turns`: those between prompt and final answer: calls of the assistant and the results of tools.
    * `tools`: definitions of the tools that the model may call.
    * `calls`: what the final turn calls. Where it says nothing beside, the final answer is the text of the calls.
    """

    messages: tuple[Message, ...] = ()
    turns: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()
    calls: tuple[Call, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without what is empty."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


NO_CONVERSATION = Conversation()
FIELDS = Conversation.__struct_fields__


def conversation_of(data: Mapping[str, Any]) -> Conversation:
    """The conversation in the JSON form of a trace. Raises InvalidTrace naming the message."""
    found = {name: data[name] for name in FIELDS if data.get(name)}
    if not found:
        return NO_CONVERSATION
    try:
        return msgspec.convert(found, Conversation)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        raise InvalidTrace(path.rstrip("`") or next(iter(found)), f"is not part of a conversation ({reason})") from None


def check_conversation(talk: Conversation) -> None:
    """Raises InvalidTrace naming the message whose role, text or call no conversation can hold."""
    for name, turns in (("messages", talk.messages), ("turns", talk.turns)):
        for i, message in enumerate(turns):
            _check_message(message, f"{name}[{i}]")
            if name == "turns" and message.role not in ("assistant", "tool"):
                raise InvalidTrace(
                    f"turns[{i}].role",
                    f"is {message.role}; only assistant and tool fit between prompt and answer. Move it to messages",
                )
    _check_calls(talk.calls, "calls")
    for i, tool in enumerate(talk.tools):
        _check_json(tool, f"tools[{i}]")


def call_text(call: Call) -> str:
    """A call as JSON text, `{"name": ..., "arguments": ...}`, in the order and spacing of chat templates."""
    return f'{{"name": {_spaced(call.name)}, "arguments": {arguments_text(call.arguments)}}}'


def arguments_text(arguments: dict[str, Any] | str) -> str:
    """The arguments of a call as text: JSON as chat templates write it, or the text that they are."""
    return arguments if isinstance(arguments, str) else _spaced(arguments)


def calls_text(calls: Sequence[Call]) -> str:
    """Calls as text, one per line: the final answer of a turn that says nothing else."""
    return "\n".join(map(call_text, calls))


def read_arguments(value: Any) -> dict[str, Any] | str:
    """The arguments of a call: an object, also where the file holds exactly its JSON text. Raises InvalidTrace."""
    if value is None or value == "":
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, str):
        raise InvalidTrace("arguments", f"must be an object or its JSON text, not {kind_of(value)}")
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    # text that a template would write otherwise is kept as it is: what is trained is what came in
    return found if isinstance(found, dict) and _spaced(found) == value else value


def _spaced(value: Any) -> str:
    """JSON as `tojson` of chat templates writes it."""
    import json

    return json.dumps(value, ensure_ascii=False)


def _check_message(message: Message, field: str) -> None:
    for name in ("content", "reasoning", "call_id", "name"):
        _check_text(getattr(message, name) or "", f"{field}.{name}")
    if message.role != "assistant" and (message.calls or message.reasoning or message.train is not None):
        wrong = "calls" if message.calls else "reasoning" if message.reasoning else "train"
        raise InvalidTrace(
            f"{field}.{wrong}", f"belongs to a turn of role {message.role}; only an assistant has it. Leave it out"
        )
    if message.role != "tool" and message.call_id is not None:
        raise InvalidTrace(
            f"{field}.call_id", f"belongs to a turn of role {message.role}; only a tool has it. Leave it out"
        )
    _check_calls(message.calls, f"{field}.calls")


def _check_calls(calls: Sequence[Call], field: str) -> None:
    for i, call in enumerate(calls):
        if not call.name.strip():
            raise InvalidTrace(f"{field}[{i}].name", "is empty. Name the tool that is called")
        _check_text(call.name, f"{field}[{i}].name")
        _check_json(call.arguments, f"{field}[{i}].arguments")


def _check_text(text: str, field: str) -> None:
    try:
        check_text(text, field)
    except ValueError as error:
        raise InvalidTrace(field, str(error).removeprefix(f"{field}: ")) from None


def _check_json(value: Any, field: str) -> None:
    try:
        check_json(value, field)
    except ValueError as error:
        path, _, reason = str(error).partition(": ")
        raise InvalidTrace(path, reason) from None
