"""What the reader shows of a trace or an answer, as plain JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypedDict

import orjson

from tunixrt_core.datasets.gates.lints import lint
from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.store.query import StoredTrace
from tunixrt_core.traces.conversation import NO_CONVERSATION, Call, Conversation, Message
from tunixrt_core.traces.trace import Step, Trace

Verdict = Literal["same", "differs"]


class Reading(TypedDict):
    """One text with its surroundings. `output` is what a model wrote, exactly, where the steps were read from it."""

    system: str | None
    tools: list[dict[str, str]]
    before: list[dict[str, Any]]
    prompt: str | None
    turns: list[dict[str, Any]]
    steps: list[dict[str, str]]
    calls: list[dict[str, Any]]
    answer: str | None
    reference: str | None
    verdict: Verdict | None
    scores: list[dict[str, Any]]
    doubts: list[str]
    output: str | None


def reading_of(
    *,
    prompt: str | None = None,
    steps: Sequence[Step] = (),
    answer: str | None = None,
    reference: str | None = None,
    matches: bool | None = None,
    output: str | None = None,
    system: str | None = None,
    talk: Conversation = NO_CONVERSATION,
) -> Reading:
    """A reading of texts that are no stored trace, such as an answer of a model."""
    return Reading(
        system=system,
        tools=[{"name": _tool_name(tool), "text": _json(tool)} for tool in talk.tool_values],
        before=_turns(talk.messages),
        prompt=prompt,
        turns=_turns(talk.turns),
        steps=[{"type": step.type, "text": step.content} for step in steps],
        calls=[_call(call) for call in talk.calls],
        answer=answer,
        reference=reference,
        verdict=None if matches is None else "same" if matches else "differs",
        scores=[],
        doubts=[],
        output=output,
    )


def reading_of_trace(trace: Trace) -> Reading:
    """A trace that need not be stored."""
    return reading_of(
        prompt=trace.prompt,
        steps=trace.steps,
        answer=trace.final_answer,
        reference=trace.reference_answer,
        matches=answer_matches(trace),
        system=trace.system,
        talk=trace.conversation,
    )


def reading_of_stored(stored: StoredTrace) -> Reading:
    """A stored trace, with its scores and what is doubtful in it."""
    scores = (one.given for one in stored.scores)
    said = [
        {
            "name": given.name,
            "value": given.value,
            "by": given.scorer if given.kind == "human" else f"{given.scorer} {given.version}".strip(),
            "human": given.kind == "human",
            "step": given.step,
        }
        for given in scores
    ]
    return {**reading_of_trace(stored.trace), "scores": said, "doubts": list(lint(stored.trace))}


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [
        {
            "role": message.role,
            "text": message.content,
            "reasoning": message.reasoning,
            "calls": [_call(call) for call in message.calls],
            "note": " · ".join(_notes(message)),
        }
        for message in messages
    ]


def _notes(message: Message) -> Iterable[str]:
    if message.name:
        yield message.name
    if message.call_id:
        yield f"for call {message.call_id}"
    if message.train is not None:
        yield "trained" if message.train else "not trained"


def _call(call: Call) -> dict[str, Any]:
    written = call.written if isinstance(call.value, str) else _json(call.value)
    return {"name": call.name, "arguments": written, "id": call.id}


def _tool_name(tool: dict[str, Any]) -> str:
    inner = tool.get("function")
    found = (inner if isinstance(inner, dict) else tool).get("name")
    return found if isinstance(found, str) else "a tool without a name"


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
