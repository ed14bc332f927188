"""Format `atif`: agent trajectories (Harbor's ATIF 1.x)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import Item, Options, extended, filled, named_as, rest, source_of
from tunixrt_core.ingest.reasoning.turns import message_text
from tunixrt_core.traces.trace import DEFAULT_STEP_TYPE, Step, Trace
from tunixrt_core.util.kinds import kind_of

NAME = "atif"

_FIELDS = {"steps": "system, prompt, steps, final_answer", "agent": "model, meta", "source": "source"}
_SPOKEN = ("message", "reasoning_content", "tool_calls", "observation")


def matches(row: Mapping[str, Any]) -> bool:
    version = row.get("schema_version")
    return isinstance(row.get("steps"), list) and isinstance(version, str) and version.startswith("ATIF-v1")


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The first user message is the prompt, the agent's last message the answer; all between are steps.

    Their types are `reason`, `message`, `tool_call`, `observation` and `user`. Metrics, times and ids of each ATIF
    step are kept in `meta.atif`, with the numbers of the steps that it became.
    """
    told = _checked(row.get("steps"))
    asked = next((i for i, step in enumerate(told) if step["source"] == "user"), None)
    answered = next((i for i in range(len(told) - 1, -1, -1) if _is_answer(told[i])), None)
    if asked is None or answered is None or answered < asked:
        raise InvalidTrace("steps", "must hold a message of the user and, after it, one of the agent")
    system = [_message(told, i) for i in range(asked) if told[i]["source"] == "system"]
    steps, kept = _steps(told, asked, answered)
    agent = row.get("agent") if isinstance(row.get("agent"), dict) else {}
    meta = {"atif": rest(row, ("steps", "source")) | {"steps": kept}}
    with named_as({"prompt": f"steps[{asked}].message", "final_answer": f"steps[{answered}].message"}):
        trace = Trace(
            prompt=_message(told, asked),
            steps=steps,
            final_answer=_message(told, answered),
            system=system[0] if system else None,
            meta=extended({}, meta),
            source=source_of(row, options),
            model=filled(agent.get("model_name")) if agent else None,
        )
    return [trace]


def _checked(value: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list) or not value:
        raise InvalidTrace("steps", f"must be a list of steps, not {kind_of(value)}")
    for i, step in enumerate(value):
        if not isinstance(step, dict) or step.get("source") not in ("user", "agent", "system"):
            raise InvalidTrace(f"steps[{i}].source", f"must be user, agent or system, not {_said(step)}")
        if step.get("step_id", i + 1) != i + 1:
            raise InvalidTrace(
                f"steps[{i}].step_id", f"must be {i + 1}, not {step['step_id']}: steps are counted from 1, in order"
            )
    return value


def _said(step: Any) -> str:
    return repr(step.get("source")) if isinstance(step, dict) else kind_of(step)


def _is_answer(step: Mapping[str, Any]) -> bool:
    return step["source"] == "agent" and bool(step.get("message"))


def _message(told: Sequence[Mapping[str, Any]], i: int) -> str:
    return message_text(told[i].get("message"), f"steps[{i}].message")


def _steps(told: Sequence[Mapping[str, Any]], asked: int, answered: int) -> tuple[tuple[Step, ...], list[Any]]:
    """The steps of a trace, and for each ATIF step what it holds beside its words."""
    steps: list[Step] = []
    kept = []
    for i, step in enumerate(told):
        begin = len(steps)
        for kind, content in _parts(told, i, is_whole=i in (asked, answered)):
            steps.append(Step(len(steps), content, kind))
        more = rest(step, _SPOKEN)
        if isinstance(step.get("message"), list):
            more["message"] = step["message"]
        kept.append(more | ({"became": list(range(begin, len(steps)))} if len(steps) > begin else {}))
    return tuple(steps), kept


def _parts(told: Sequence[Mapping[str, Any]], i: int, *, is_whole: bool) -> list[tuple[str, str]]:
    """What is said in an ATIF step as `(type, text)`; prompt and answer have fields of their own."""
    step = told[i]
    found = [(DEFAULT_STEP_TYPE, step.get("reasoning_content"))]
    if not is_whole and not (step["source"] == "system" and _is_first_system(told, i)):
        kind = {"agent": "message", "user": "user", "system": "system"}[step["source"]]
        found.append((kind, _message(told, i)))
    found += [
        (kind, _json(step.get(key))) for kind, key in (("tool_call", "tool_calls"), ("observation", "observation"))
    ]
    return [(kind, content) for kind, content in found if isinstance(content, str) and content.strip()]


def _is_first_system(told: Sequence[Mapping[str, Any]], i: int) -> bool:
    """Whether this message is the trace's `system`: the first of them, before the user spoke."""
    before = [step["source"] for step in told[:i]]
    return "user" not in before and "system" not in before


def _json(value: Any) -> str | None:
    return orjson.dumps(value).decode() if value else None
