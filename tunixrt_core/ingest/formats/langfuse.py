"""Format `langfuse`: observations and traces that Langfuse exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import SYSTEM_COLUMNS, chat_trace, system_of, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, rest, scored, source_of
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.roles import Turn, role_of
from tunixrt_core.ingest.reasoning.turns import read_turns
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.util.kinds import kind_of

NAME = "langfuse"

_OWN = frozenset(
    {"traceId", "trace_id", "observations", "projectId", "project_id", "parentObservationId", "parent_observation_id"}
)
_MODELS = ("model", "providedModelName", "provided_model_name", "internalModel", "modelId")
_FIELDS = {
    "input": "system, messages, prompt, turns, tools",
    "output": "steps, final_answer",
    "scores": "score",
    "source": "source",
    "observations": "messages, prompt, turns, steps, final_answer, meta",
} | dict.fromkeys(_MODELS, "model")


def matches(row: Mapping[str, Any]) -> bool:
    if isinstance(row.get("trace"), dict) and isinstance(row.get("observations"), list):
        return True
    return "input" in row and "output" in row and (not _OWN.isdisjoint(row) or _is_chat(row))


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """A generation is a trace, its input the messages and its output the answer. Of a trace that holds observations it
    is the last generation, else the trace's own input and output. Other observations without messages give nothing.
    """
    whole = row["trace"] if isinstance(row.get("trace"), dict) else row
    observed = [one for one in _list(row.get("observations")) if isinstance(one, dict)]
    told = next((one for one in reversed(_ordered(observed)) if _is_generation(one) and _is_chat(one)), whole)
    if not _says_something(told):
        return []
    asked = _value(told.get("input"))
    turns = [*_asked(asked), *_said(_value(told.get("output")))]
    around = asked if isinstance(asked, dict) else told
    system, _ = system_of(around, turns, ("instructions", *SYSTEM_COLUMNS))
    found, tools = with_tools(exchange_of(turns, "input", system), asked if isinstance(asked, dict) else {})
    used = ("input", "output", "scores", "source", "observations", "trace")
    left = rest(asked, ("messages", *tools)) if isinstance(asked, dict) else {}
    kept = rest(row, used if told is row else (*used, *_MODELS)) | ({"input": left} if left else {})
    if whole is not row:
        kept["trace"] = rest(whole, ("input", "output", "scores"))
    if observed:
        kept["observations"] = [rest(one, ("input", "output") if one is told else ()) for one in observed]
    trace = chat_trace(
        found,
        options,
        meta={"langfuse": kept},
        names={"prompt": "input", "system": "input", "steps": found.answer.field},
        source=source_of(row, options),
        model=next((told[name] for name in _MODELS if isinstance(told.get(name), str) and told[name]), None),
    )
    return [scored(trace, _scores(row.get("scores") or whole.get("scores")))]


def _ordered(observed: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """In the order in which they began, as far as they say so."""
    return sorted(observed, key=lambda one: str(one.get("startTime") or one.get("start_time") or ""))


def _is_generation(held: Mapping[str, Any]) -> bool:
    return str(held.get("type") or "").upper() == "GENERATION"


def _is_chat(held: Mapping[str, Any]) -> bool:
    found = _value(held.get("input"))
    messages = found.get("messages") if isinstance(found, dict) else found
    return held.get("output") is not None and bool(_list(messages)) and all(role_of(one) for one in _list(messages))


def _says_something(held: Mapping[str, Any]) -> bool:
    """Whether it is a generation, or a trace or span with a prompt and an answer."""
    if held.get("input") is None or held.get("output") is None:
        return False
    return _is_generation(held) or _is_chat(held) or not held.get("type")


def _value(value: Any) -> Any:
    """A value that may be written as JSON text."""
    if isinstance(value, str) and value[:1] in ("[", "{", '"'):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _list(value: Any) -> list[Any]:
    found = _value(value)
    return found if isinstance(found, list) else []


def _asked(value: Any) -> list[Turn]:
    if isinstance(value, str):
        return [Turn("user", value, {}, {"role": "user", "content": value}, "input")]
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        return read_turns(value["messages"], "input.messages")
    if isinstance(value, list):
        return read_turns(value, "input")
    raise InvalidTrace("input", f"must be text or messages, not {kind_of(value)}. Export the generations themselves")


def _said(value: Any) -> list[Turn]:
    if isinstance(value, str):
        return [Turn("assistant", value, {}, {"role": "assistant", "content": value}, "output")]
    if isinstance(value, dict):
        choices = value.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            value = choices[0].get("message", choices[0])
        if isinstance(value, dict) and isinstance(value.get("messages"), list):
            return read_turns(value["messages"], "output.messages")
        return read_turns([value if role_of(value) else {"role": "assistant", **value}], "output")
    if isinstance(value, list):
        if value and not any(map(role_of, value)):  # the parts of one message
            return read_turns([{"role": "assistant", "content": value}], "output")
        return read_turns(value, "output")
    raise InvalidTrace("output", f"must be text or a message, not {kind_of(value)}. Leave the row out")


def _scores(scores: Any) -> Iterator[GivenScore]:
    """Scores with a number; a person's own are told from those of programs."""
    for score in _list(scores):
        name, value = (score.get("name"), score.get("value")) if isinstance(score, dict) else (None, None)
        if not isinstance(name, str) or not name.strip() or not isinstance(value, bool | int | float):
            continue
        note = score.get("comment") if isinstance(score.get("comment"), str) else None
        human = str(score.get("source")).upper() == "ANNOTATION"
        yield GivenScore(
            name=name,
            value=float(value),
            note=note,
            scorer=NAME,
            version="given",
            kind="human" if human else "automatic",
        )
