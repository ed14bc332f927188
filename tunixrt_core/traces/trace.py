"""The trace: one recorded reasoning, immutable, identified by its hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.conversation import FIELDS as _CONVERSATION
from tunixrt_core.traces.conversation import (
    NO_CONVERSATION,
    Call,
    Conversation,
    Message,
    Tool,
    check_conversation,
    conversation_of,
)
from tunixrt_core.traces.layout import Layout, check_layout, in_normal_form, layout_of
from tunixrt_core.traces.words import plain, straight
from tunixrt_core.util.hashing import canonical_json, check_json, check_text, sha256_hex
from tunixrt_core.util.kinds import kind_of, not_text

TRACE_VERSION = "1.0"
DEFAULT_STEP_TYPE = "reason"
MAX_TRACE_BYTES = 1 << 20  # of canonical JSON; real reasoning rows are 20 to 50 KB

FIELDS = (
    "prompt",
    "steps",
    "final_answer",
    "meta",
    "system",
    "reference_answer",
    "source",
    "model",
    "trace_version",
    "layout",
    *_CONVERSATION,
)
_KNOWN = frozenset(FIELDS)
# letters become lower case; white space other than a space becomes a line break, which one look finds
_FOLDED = bytes(10 if chr(code).isspace() and chr(code) != " " else code for code in range(128)).lower() + bytes(128)
_OPTIONAL_TEXT = ("system", "reference_answer", "source", "model")


class Step(msgspec.Struct, frozen=True, gc=False):
    """One part of the reasoning. `i` counts from 0; `type` is a free word such as `plan` or `compute`.

    A msgspec Struct: as immutable as a dataclass, and made several times as fast, which every read trace gains by. It
    holds plain values only, so the garbage collector need not look at it.
    """

    i: int
    content: str
    type: str = DEFAULT_STEP_TYPE

    def to_dict(self) -> dict[str, Any]:
        return {"i": self.i, "type": self.type, "content": self.content}


class _Canonical(msgspec.Struct, gc=False):
    """The fields of canonical JSON: read straight into steps, which takes half the time of objects in between."""

    prompt: str
    steps: tuple[Step, ...]
    final_answer: str
    meta: dict[str, Any]
    trace_version: str
    system: str | None = None
    reference_answer: str | None = None
    source: str | None = None
    model: str | None = None
    layout: Layout | None = None
    messages: tuple[Message, ...] = ()
    turns: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()
    calls: tuple[Call, ...] = ()


_decode = msgspec.json.Decoder(_Canonical).decode


@dataclass(frozen=True)
class Trace:
    """A prompt, its ordered steps and the final answer. Text is stored raw: templates are applied when rendering.

    Raises InvalidTrace when built from values that break the schema.
    """

    prompt: str
    steps: tuple[Step, ...]
    final_answer: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    reference_answer: str | None = None  # what the answer should be, where it is known
    source: str | None = None  # where the trace comes from, such as `gsm8k`
    model: str | None = None  # what wrote the reasoning, where it is known
    trace_version: str = TRACE_VERSION
    layout: Layout | None = None  # of the text that the trace was read from, where it is not the usual one
    conversation: Conversation = NO_CONVERSATION

    def __post_init__(self) -> None:
        if self.layout is not None:
            object.__setattr__(self, "layout", in_normal_form(self.layout))
        if self.conversation is not NO_CONVERSATION and self.conversation == NO_CONVERSATION:
            object.__setattr__(self, "conversation", NO_CONVERSATION)
        _check(self)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form. Optional fields that are not set are left out; `Trace.from_dict` reads it back."""
        out: dict[str, Any] = {
            "trace_version": self.trace_version,
            "prompt": self.prompt,
            "steps": [step.to_dict() for step in self.steps],
            "final_answer": self.final_answer,
            "meta": dict(self.meta),
        }
        for name in _OPTIONAL_TEXT:
            if (value := getattr(self, name)) is not None:
                out[name] = value
        if self.layout is not None:
            out["layout"] = self.layout.to_dict()
        if self.conversation is not NO_CONVERSATION:
            out |= self.conversation.to_dict()
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Trace:
        """Build a trace from its JSON form. Steps may be objects or plain strings. Raises InvalidTrace."""
        if unknown := sorted(set(data) - _KNOWN):
            raise InvalidTrace(unknown[0], "is not a field of a trace; put extra values under `meta`")
        for name in ("prompt", "steps", "final_answer"):
            if name not in data:
                keys = ", ".join(map(str, list(data)[:12])) or "none"
                raise InvalidTrace(name, f"is missing. Add it; the row has the keys {keys}")
        return cls(
            prompt=data["prompt"],
            steps=parse_steps(data["steps"]),
            final_answer=data["final_answer"],
            meta=data.get("meta") or {},
            trace_version=data.get("trace_version", TRACE_VERSION),
            layout=layout_of(data.get("layout")),
            conversation=conversation_of(data),
            **{name: data.get(name) for name in _OPTIONAL_TEXT},
        )

    @classmethod
    def from_canonical(cls, canonical: bytes) -> Trace:
        """The trace that wrote these bytes. Checks nothing, so only for what this program stored itself."""
        read = _decode(canonical)
        trace = object.__new__(cls)
        trace.__dict__.update(
            prompt=read.prompt,
            steps=read.steps,
            final_answer=read.final_answer,
            meta=read.meta,
            system=read.system,
            reference_answer=read.reference_answer,
            source=read.source,
            model=read.model,
            trace_version=read.trace_version,
            layout=read.layout,
            conversation=NO_CONVERSATION,
            canonical=canonical,
        )
        if read.messages or read.turns or read.tools or read.calls:
            trace.__dict__["conversation"] = Conversation(read.messages, read.turns, read.tools, read.calls)
        return trace

    @cached_property
    def canonical(self) -> bytes:
        """Canonical JSON of the whole trace: what its hash is taken over."""
        return canonical_json(self.to_dict())

    @cached_property
    def content_hash(self) -> str:
        """Identity: sha256 of the canonical JSON, 64 hexadecimal digits."""
        return sha256_hex(self.canonical)

    @cached_property
    def group_key(self) -> str:
        """sha256 of the normalised prompt and the messages before it. One group is always on one side of a split."""
        return group_key_of(self.prompt, self.conversation.messages)


def group_key_of(prompt: str, messages: Sequence[Message] = ()) -> str:
    """The group key of the traces of a prompt and the messages before it."""
    if messages:
        # arguments as values: the order of their keys is no part of a trace
        called = [[[call.name, call.sorted] for call in message.calls] for message in messages]
        said = [[message.role, normalise_prompt(message.content)] for message in messages]
        before = [[*turn, *calls] for turn, calls in zip(said, called, strict=True)]
        return sha256_hex(canonical_json([*before, ["user", normalise_prompt(prompt)]]))
    folded = _folded(prompt)
    return sha256_hex(normalise_prompt(prompt).encode() if folded is None else folded)


def normalise_prompt(prompt: str) -> str:
    """The form in which prompts of the same task are equal.

    NFKC, case-folded, with straight quotes, without characters that no reader sees, runs of white space made one space.
    """
    folded = _folded(prompt)
    if folded is not None:
        return folded.decode()
    return " ".join(plain(straight(prompt)).split())


def _folded(prompt: str) -> bytes | None:
    """The short way for most prompts, ASCII with single spaces within: only letters change. None for any other."""
    if not prompt.isascii():
        return None
    folded = prompt.encode().translate(_FOLDED)
    if b"\n" in folded or b"  " in folded or folded.startswith(b" ") or folded.endswith(b" "):
        return None
    return folded


def parse_steps(value: Any) -> tuple[Step, ...]:
    """Steps from a JSON list of strings or of `{"content", "type"?, "i"?}`. Raises InvalidTrace naming the step."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise InvalidTrace(
            "steps", f"must be a list of steps, not {kind_of(value)}. Write each step as one text of a list"
        )
    return tuple(_parse_step(i, item) for i, item in enumerate(value))


def _parse_step(i: int, item: Any) -> Step:
    if isinstance(item, Step):
        return Step(i, item.content, item.type)
    if isinstance(item, str):
        return Step(i, item)
    if not isinstance(item, Mapping):
        raise InvalidTrace(
            f"steps[{i}]", f"must be text or an object with `content`, not {kind_of(item)}. Write the step as text"
        )
    if unknown := sorted(set(item) - {"i", "type", "content"}):
        raise InvalidTrace(
            f"steps[{i}].{unknown[0]}", "is not a field of a step. Leave it out; the fields are content, type and i"
        )
    if "content" not in item:
        raise InvalidTrace(f"steps[{i}].content", "is missing. Give the step its text")
    if item.get("i", i) != i:
        raise InvalidTrace(f"steps[{i}].i", f"must be {i}: steps are counted from 0, in order")
    return Step(i, item["content"], item.get("type", DEFAULT_STEP_TYPE))


def _check(trace: Trace) -> None:
    if trace.trace_version != TRACE_VERSION:
        raise InvalidTrace(
            "trace_version", f"{trace.trace_version!r} is not known; this program reads {TRACE_VERSION!r}"
        )
    _text("prompt", trace.prompt, empty=False)
    _text("final_answer", trace.final_answer, empty=False)
    for name in _OPTIONAL_TEXT:
        if (value := getattr(trace, name)) is not None:
            _text(name, value)
    for step in trace.steps:
        _text(f"steps[{step.i}].content", step.content, empty=False)
        _text(f"steps[{step.i}].type", step.type, empty=False)
    _check_surroundings(trace)
    if not isinstance(trace.meta, Mapping):
        raise InvalidTrace("meta", f"must be an object, not {kind_of(trace.meta)}. Write {{}} for none")
    try:
        check_json(dict(trace.meta), "meta")
    except ValueError as error:
        path, _, reason = str(error).partition(": ")
        raise InvalidTrace(path, reason) from None
    if (size := len(trace.canonical)) > MAX_TRACE_BYTES:
        raise InvalidTrace(
            "trace", f"is {size:,} bytes as it is stored; at most {MAX_TRACE_BYTES:,} are taken. Shorten it"
        )


def _check_surroundings(trace: Trace) -> None:
    """The layout and the conversation."""
    if trace.layout is not None:
        check_layout(trace.layout, [step.content for step in trace.steps], trace.final_answer)
        for name, text in trace.layout.texts():
            _text(f"layout.{name}", text)
    if trace.conversation is not NO_CONVERSATION:
        check_conversation(trace.conversation)


def _text(name: str, value: Any, *, empty: bool = True) -> None:
    if not isinstance(value, str):
        raise InvalidTrace(name, not_text(value))
    if not empty and not value.strip():
        raise InvalidTrace(name, "is empty. Give it a text, or leave the row out")
    try:
        check_text(value, name)
    except ValueError as error:
        raise InvalidTrace(name, str(error).removeprefix(f"{name}: ")) from None
