"""Format `inspect`: samples of Inspect's logs, also those in an `.eval` file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace, said_in, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, flag, rest, scored, source_of
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.turn import Turn
from tunixrt_core.ingest.reasoning.turns import read_turns
from tunixrt_core.traces.scores import GivenScore

NAME = "inspect"

_FIELDS = {
    "output": "model, meta",
    "target": "reference_answer",
    "scores": "score",
    "source": "source",
    "input": "prompt",
    "events": "tools",
    "events_data": "ignore",
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
    """The conversation of a sample, its target as the reference and its scores. Of the events, the calls of the model
    say which tools it had; they are left out otherwise. Answers that the input holds are marked as not trained.
    """
    output = row["output"] if isinstance(row.get("output"), dict) else {}
    attached = row["attachments"] if isinstance(row.get("attachments"), dict) else {}
    turns = _marked(read_turns(_resolved(row.get("messages"), attached), "messages"))
    if not any(turn.role == "assistant" and turn.train is not False for turn in turns):
        raise InvalidTrace(
            "messages", f"holds no answer of the model{_why(row)}. Leave the sample out, or run it again"
        )
    target = row.get("target")
    reference = target[0] if isinstance(target, list) and len(target) == 1 else target
    used = {*_FIELDS, "messages"} - ({"target"} if not isinstance(reference, str) else set())
    left = {key: value for key, value in output.items() if key not in ("model", "choices", "completion") and value}
    meta = rest(row, used) | ({"output": left} if left else {})
    found, _ = with_tools(exchange_of(turns, "messages"), {"tools": _tools(row.get("events"), attached)})
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


def _marked(turns: Sequence[Turn]) -> list[Turn]:
    """The turns, those of the assistant that the input of the sample holds marked as not trained."""
    return [turn._replace(train=False) if _is_input(turn) else turn for turn in turns]


def _is_input(turn: Turn) -> bool:
    return turn.role == "assistant" and turn.raw.get("source") == "input"


def _why(row: Mapping[str, Any]) -> str:
    """The first line of the error that ended the sample, for a message."""
    error = row.get("error")
    said = error.get("message") if isinstance(error, Mapping) else None
    return f": it ended with the error {said.splitlines()[0][:120]!r}" if isinstance(said, str) and said.strip() else ""


def _tools(events: Any, attached: Mapping[str, Any]) -> list[Any]:
    """The definitions of tools in the last call of the model that had some; `messages` do not hold them."""
    calls = [event for event in events if isinstance(event, Mapping)] if isinstance(events, list) else []
    tools: Any = next(
        (call["tools"] for call in reversed(calls) if call.get("event") == "model" and call.get("tools")), []
    )
    return [_resolved(tool, attached) for tool in tools] if isinstance(tools, list) else []


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
