"""Format `langfuse`: observations and traces that Langfuse exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunixrt_core.ingest.formats.chats import SYSTEM_COLUMNS, chat_trace, system_of, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, rest, scored, source_of
from tunixrt_core.ingest.formats.logged import answers, asked_turns, is_chat, items_of, request_rest, value_of
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.turn import Turn
from tunixrt_core.traces.scores import GivenScore

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
    return "input" in row and "output" in row and (not _OWN.isdisjoint(row) or is_chat(row["input"], row["output"]))


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """A generation is a trace, its input the messages and its output the answer. Of a trace that holds observations it
    is the last generation, else the trace's own input and output. Other observations without messages give nothing.
    """
    whole = row["trace"] if isinstance(row.get("trace"), dict) else row
    observed = [one for one in _list(row.get("observations")) if isinstance(one, dict)]
    told = next((one for one in reversed(_ordered(observed)) if _is_generation(one) and _is_call(one)), whole)
    if not _says_something(told):
        return []
    asked = value_of(told.get("input"))
    turns = asked_turns(asked, "input")
    around = asked if isinstance(asked, dict) else told
    system, _ = system_of(around, turns, ("instructions", *SYSTEM_COLUMNS))
    used = ("input", "output", "scores", "source", "observations", "trace")
    found = answers(value_of(told.get("output")), "output")

    def make(i: int, answer: list[Turn]) -> Item:
        talk, tools = with_tools(exchange_of([*turns, *answer], "input", system), around)
        left = rest(request_rest(asked), tools)
        kept = rest(row, used if told is row else (*used, *_MODELS)) | ({"input": left} if left else {})
        if whole is not row:
            kept["trace"] = rest(whole, ("input", "output", "scores"))
        if observed:
            kept["observations"] = [rest(one, ("input", "output") if one is told else ()) for one in observed]
        if len(found) > 1:
            kept["choice"] = i
        trace = chat_trace(
            talk,
            options,
            meta={"langfuse": kept},
            names={"prompt": "input", "system": "input", "steps": talk.answer.field},
            source=source_of(row, options),
            model=next((told[name] for name in _MODELS if isinstance(told.get(name), str) and told[name]), None),
        )
        return scored(trace, _scores(row.get("scores") or whole.get("scores")))

    return items_of(found, make)


def _ordered(observed: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """In the order in which they began, as far as they say so."""
    return sorted(observed, key=lambda one: str(one.get("startTime") or one.get("start_time") or ""))


def _is_generation(held: Mapping[str, Any]) -> bool:
    return str(held.get("type") or "").upper() == "GENERATION"


def _is_call(held: Mapping[str, Any]) -> bool:
    return is_chat(held.get("input"), held.get("output"))


def _says_something(held: Mapping[str, Any]) -> bool:
    """Whether it is a generation, or a trace or span with a prompt and an answer."""
    if held.get("input") is None or held.get("output") is None:
        return False
    return _is_generation(held) or _is_call(held) or not held.get("type")


def _list(value: Any) -> list[Any]:
    found = value_of(value)
    return found if isinstance(found, list) else []


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
