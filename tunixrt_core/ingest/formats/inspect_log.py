"""Format `inspect`: samples of Inspect's logs, also those in an `.eval` file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace, said_in
from tunixrt_core.ingest.formats.fields import Item, Options, flag, rest, scored, source_of
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.turns import read_turns
from tunixrt_core.traces.scores import GivenScore

NAME = "inspect"

_FIELDS = {
    "output": "model, meta",
    "target": "reference_answer",
    "scores": "score",
    "source": "source",
    "input": "prompt",
    "events": "ignore",
    "attachments": "messages",
}
# what its scorers write for correct, incorrect, partial and no answer
_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_ATTACHED = "attachment://"


def matches(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("messages"), list) and "target" in row and ("epoch" in row or "scores" in row)


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return {"messages": said_in(row.get("messages"))} | _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The conversation of a sample, its target as the reference and its scores. Events are left out."""
    output = row["output"] if isinstance(row.get("output"), dict) else {}
    attached = row["attachments"] if isinstance(row.get("attachments"), dict) else {}
    turns = read_turns(_resolved(row.get("messages"), attached), "messages")
    if not any(turn.role == "assistant" for turn in turns):
        raise InvalidTrace("messages", "holds no answer of the model. Leave the sample out, or run it again")
    target = row.get("target")
    reference = target[0] if isinstance(target, list) and len(target) == 1 else target
    used = {*_FIELDS, "messages"} - ({"target"} if not isinstance(reference, str) else set())
    left = {key: value for key, value in output.items() if key not in ("model", "choices", "completion") and value}
    meta = rest(row, used) | ({"output": left} if left else {})
    found = exchange_of(turns, "messages")
    trace = chat_trace(
        found,
        options,
        meta=meta,
        names={"prompt": "messages", "system": "messages", "steps": "messages"},
        reference_answer=reference if isinstance(reference, str) and reference.strip() else None,
        source=source_of(row, options),
        model=output.get("model") if isinstance(output.get("model"), str) and output["model"] else None,
    )
    return [scored(trace, _scores(row.get("scores")))]


def _resolved(value: Any, attached: Mapping[str, Any]) -> Any:
    """Messages with long texts, which Inspect stores once and names by their hash."""
    if not attached:
        return value
    if isinstance(value, str):
        return attached.get(value.removeprefix(_ATTACHED), value) if value.startswith(_ATTACHED) else value
    if isinstance(value, list):
        return [_resolved(item, attached) for item in value]
    if isinstance(value, dict):
        return {key: _resolved(item, attached) for key, item in value.items()}
    return value


def _scores(scores: Any) -> Iterator[GivenScore]:
    for scorer, score in (scores if isinstance(scores, dict) else {}).items():
        held = score if isinstance(score, dict) else {"value": score}
        note = held.get("explanation") if isinstance(held.get("explanation"), str) else None
        value = held.get("value")
        for part, inner in value.items() if isinstance(value, dict) else [("", value)]:
            yield from _score(f"{scorer}.{part}" if part else str(scorer), inner, note)


def _score(scorer: str, value: Any, note: str | None) -> Iterator[GivenScore]:
    """A letter, true and false are the verdict `correct`; a number is a score with the scorer's name."""
    if isinstance(value, str) and value in _LETTERS:
        yield from flag("correct", _LETTERS[value], scorer=f"inspect {scorer}", note=note)
    elif isinstance(value, bool):
        yield from flag("correct", value, scorer=f"inspect {scorer}", note=note)
    else:
        yield from flag(scorer, value, scorer=NAME, note=note)
