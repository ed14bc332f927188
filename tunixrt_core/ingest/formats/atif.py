"""Format `atif`: agent trajectories (Harbor's ATIF 1.x)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, filled, rest, source_of
from tunixrt_core.ingest.reasoning.calls import read_calls
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.parts import message_text, result_text
from tunixrt_core.ingest.reasoning.turn import Turn
from tunixrt_core.util.kinds import kind_of

NAME = "atif"

_ROLES = {"user": "user", "agent": "assistant", "system": "system"}
_FIELDS = {
    "steps": "system, messages, prompt, turns, steps, final_answer",
    "agent": "model, tools, meta",
    "source": "source",
}
_SPOKEN = ("message", "reasoning_content", "tool_calls", "observation")


def matches(row: Mapping[str, Any]) -> bool:
    version = row.get("schema_version")
    return isinstance(row.get("steps"), list) and isinstance(version, str) and version.startswith("ATIF-v1")


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The steps as turns: the agent's last message or call is the answer, the user's last message before it the prompt.

    Metrics, times and ids of each step are kept in `meta.atif`.
    """
    told = _checked(row.get("steps"))
    kept: list[dict[str, Any]] = []
    turns = [turn for i, step in enumerate(told) for turn in _turns(step, f"steps[{i}]", kept)]
    spoken = [i for i, turn in enumerate(turns) if turn.role == "assistant" and (turn.text.strip() or turn.calls)]
    asked = next((i for i, turn in enumerate(turns) if turn.role == "user"), len(turns))
    if not spoken or spoken[-1] < asked:
        raise InvalidTrace(
            "steps",
            f"must hold a message of the user and, after it, one of the agent, not {_sources(told)}. Complete it",
        )
    agent = row["agent"] if isinstance(row.get("agent"), dict) else {}
    found, tools = with_tools(exchange_of(turns[: spoken[-1] + 1], "steps"), agent)
    meta = {"atif": rest(row, ("steps", "source", "agent")) | {"agent": rest(agent, tools), "steps": kept}}
    if later := [turn.raw for turn in turns[spoken[-1] + 1 :]]:
        found.kept["later"] = later
    names = {"prompt": "steps", "final_answer": f"{found.answer.field}.message", "steps": found.answer.field}
    source, model = source_of(row, options), filled(agent.get("model_name"))
    return [chat_trace(found, options, meta=meta, names=names, source=source, model=model)]


def _checked(value: Any) -> Sequence[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise InvalidTrace("steps", f"must be a list of steps, not {kind_of(value)}. Write the trajectory again")
    for i, step in enumerate(value):
        if not isinstance(step, dict) or step.get("source") not in tuple(_ROLES):
            raise InvalidTrace(f"steps[{i}].source", f"must be user, agent or system, not {_said(step)}. Rename it")
        if step.get("step_id", i + 1) != i + 1:
            raise InvalidTrace(
                f"steps[{i}].step_id",
                f"must be {i + 1}, not {step['step_id']}: steps are counted from 1, in order. Number them again",
            )
    return value


def _sources(steps: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(str(step.get("source")) for step in steps[:8])


def _said(step: Any) -> str:
    return repr(step.get("source")) if isinstance(step, dict) else kind_of(step)


def _turns(step: dict[str, Any], field: str, kept: list[dict[str, Any]]) -> Iterator[Turn]:
    """The turn of a step and those of its observation. `kept` gets what else it holds."""
    role = _ROLES[step["source"]]
    more = rest(step, _SPOKEN) | {key: step[key] for key in ("message",) if isinstance(step.get(key), list)}
    calls, left = read_calls(step["tool_calls"], f"{field}.tool_calls") if step.get("tool_calls") else ((), [])
    if left:
        more["tool_calls"] = left
    reasoning = step.get("reasoning_content")
    thought = reasoning if isinstance(reasoning, str) and role == "assistant" else ""
    text = message_text(step.get("message"), f"{field}.message")
    if text or thought or calls or role != "assistant":
        yield Turn(role, text, {}, step, field, thought, calls if role == "assistant" else ())
    results = list(_results(step, field, {call.id: call.name for call in calls if call.id is not None}))
    yield from results
    if any(turn.more for turn in results):
        more["observation"] = [turn.more for turn in results]
    kept.append(more)


def _results(step: Mapping[str, Any], field: str, names: Mapping[str, str]) -> Iterator[Turn]:
    observed = step.get("observation")
    results = observed.get("results") if isinstance(observed, Mapping) else None
    for i, result in enumerate(results if isinstance(results, list) else []):
        place = f"{field}.observation.results[{i}]"
        if not isinstance(result, dict):
            raise InvalidTrace(place, f"must be an object with `content`, not {kind_of(result)}. Write it as one")
        given = result.get("source_call_id")
        identity = None if given is None else str(given)
        text = result_text(result.get("content"), f"{place}.content")
        more = {key: value for key, value in result.items() if key not in ("source_call_id", "content") and value}
        yield Turn("tool", text, more, result, place, call_id=identity, name=names.get(identity or ""))
