"""Format `prompt_completion`: text or chat messages, the completion split by the marks that reasoning models write."""

from __future__ import annotations

from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.fields import named_as
from tunixrt_core.ingest.split import split_completion, split_steps
from tunixrt_core.traces import Step, Trace

NAME = "prompt_completion"

_FIELDS = {"steps": "completion", "final_answer": "completion", "system": "prompt"}


def matches(row: dict[str, Any]) -> bool:
    return "prompt" in row and "completion" in row


def to_trace(row: dict[str, Any], source: str | None) -> Trace:
    """`prompt`: text, or messages of at most one system and one user turn. Other keys of the row go to `meta`."""
    system, prompt = _prompt(row.get("prompt"))
    steps, answer = _completion(row.get("completion"))
    meta = {key: value for key, value in row.items() if key not in ("prompt", "completion", "source", "model")}
    with named_as(_FIELDS):
        return Trace(
            prompt=prompt,
            steps=tuple(Step(i, content) for i, content in enumerate(steps)),
            final_answer=answer,
            meta=meta,
            system=system,
            source=source if row.get("source") is None else row["source"],
            model=row.get("model"),
        )


def _prompt(value: Any) -> tuple[str | None, str]:
    if isinstance(value, str):
        return None, value
    turns = [(message["role"], message["content"]) for message in _messages(value, "prompt")]
    system = turns.pop(0)[1] if turns and turns[0][0] == "system" else None
    if [role for role, _ in turns] != ["user"]:
        raise InvalidTrace("prompt", "must hold one user turn, after at most one system turn")
    return system, turns[0][1]


def _completion(value: Any) -> tuple[tuple[str, ...], str]:
    if isinstance(value, str):
        parts = split_completion(value, "completion")
        return parts.steps, parts.final_answer
    messages = _messages(value, "completion")
    if [message["role"] for message in messages] != ["assistant"]:
        raise InvalidTrace("completion", "must hold one assistant turn")
    reasoning = messages[0].get("reasoning_content") or messages[0].get("thinking")
    if isinstance(reasoning, str):
        return split_steps(reasoning), messages[0]["content"].strip()
    parts = split_completion(messages[0]["content"], "completion[0].content")
    return parts.steps, parts.final_answer


def _messages(value: Any, field: str) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise InvalidTrace(field, "must be text or a list of messages")
    for i, message in enumerate(value):
        if not isinstance(message, dict) or not isinstance(message.get("content"), str) or "role" not in message:
            raise InvalidTrace(f"{field}[{i}]", "must be a message with `role` and text `content`")
    return value
