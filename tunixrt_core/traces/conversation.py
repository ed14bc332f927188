"""Conversation: the messages around a prompt, with tool calls and results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.util.hashing import check_text
from tunixrt_core.util.kinds import kind_of

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)
# The definition of a function, as OpenAI's `tools` hold it: an object, kept as its JSON text.
Tool = dict[str, Any] | str


class Call(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One tool call.

    `arguments` may be given as an object, and is kept as JSON text: canonical JSON sorts keys, and the text that is
    trained has them in the order in which they came. It is any text where the model wrote no JSON.
    """

    name: str
    arguments: dict[str, Any] | str = "{}"
    id: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.arguments, str):
            msgspec.structs.force_setattr(self, "arguments", json_text(self.arguments))

    @property
    def written(self) -> str:
        """The arguments as text."""
        return str(self.arguments)

    @property
    def value(self) -> Any:
        """The arguments as an object; the text where it is none."""
        found = _loaded(self.written)
        return found if isinstance(found, dict) else self.written

    @property
    def sorted(self) -> str:
        """The arguments as text that is the same for any order of their keys."""
        return self.written if isinstance(self.value, str) else json.dumps(self.value, sort_keys=True)


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
    * `tools`: definitions of the tools that the model may call, kept as JSON text as the arguments of calls are.
    * `calls`: what the final turn calls. Where it says nothing beside, the final answer is the text of the calls.
    """

    messages: tuple[Message, ...] = ()
    turns: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()
    calls: tuple[Call, ...] = ()

    def __post_init__(self) -> None:
        if self.tools:
            msgspec.structs.force_setattr(self, "tools", tuple(map(_tool_text, self.tools)))

    @property
    def tool_values(self) -> list[dict[str, Any]]:
        """The definitions as objects, with their keys in the order in which they came."""
        return [tool_value(tool) for tool in self.tools]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without what is empty."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    def without_calls(self) -> Conversation:
        """What the final turn is asked with."""
        return Conversation(self.messages, self.turns, self.tools)


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
                    f"is {message.role}; only assistant and tool fit between prompt and answer. Put it before these",
                )
    _check_calls(talk.calls, "calls")
    for i, tool in enumerate(talk.tools):
        if not isinstance(_loaded(str(tool)), dict):
            raise InvalidTrace(f"tools[{i}]", "is not the definition of a tool. Write it as an object")
        _check_text(str(tool), f"tools[{i}]")


def tool_value(tool: Tool) -> dict[str, Any]:
    """A definition as an object."""
    found: dict[str, Any] = json.loads(str(tool))
    return found


def call_text(call: Call) -> str:
    """A call as JSON text, `{"name": ..., "arguments": ...}`, in the order and spacing of chat templates."""
    return f'{{"name": {json_text(call.name)}, "arguments": {call.written}}}'


def calls_text(calls: Sequence[Call]) -> str:
    """Calls as text, one per line: the final answer of a turn that says nothing else."""
    return "\n".join(map(call_text, calls))


def read_arguments(value: Any) -> str:
    """The arguments of a call as text: that of the file, or the JSON text of its object. Raises InvalidTrace."""
    if value is None or value == "":
        return "{}"
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        raise InvalidTrace("arguments", f"must be an object or its JSON text, not {kind_of(value)}")
    return json_text(value)


def json_text(value: Any) -> str:
    """JSON as `tojson` of chat templates writes it."""
    return json.dumps(value, ensure_ascii=False)


def _tool_text(tool: Tool) -> str:
    """The text of a definition, the same for an object and for its JSON text in any spacing."""
    found = _loaded(tool) if isinstance(tool, str) else tool
    return json_text(found) if isinstance(found, dict) else str(tool)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


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
        _check_text(call.written, f"{field}[{i}].arguments")


def _check_text(text: str, field: str) -> None:
    try:
        check_text(text, field)
    except ValueError as error:
        raise InvalidTrace(field, str(error).removeprefix(f"{field}: ")) from None
