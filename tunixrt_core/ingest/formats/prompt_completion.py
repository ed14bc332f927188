"""Format `prompt_completion`: text or chat messages, split by reasoning marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    export_metadata,
    flag,
    labelled,
    rest,
    scored,
    source_of,
    split_trace,
)
from tunixrt_core.ingest.reasoning.split import Split, split_completion
from tunixrt_core.ingest.reasoning.steps import Rule
from tunixrt_core.ingest.reasoning.turns import Exchange, Turn, exchange_of, last_role, read_turns, roles_of, split_turn
from tunixrt_core.traces.metadata import rebuild_completion, rebuild_messages
from tunixrt_core.traces.scores import scores_in
from tunixrt_core.traces.trace import Trace

NAME = "prompt_completion"

_FIELDS = {"prompt": "prompt", "completion": "steps, final_answer", "source": "source", "model": "model"}
_NAMES = {"steps": "completion", "final_answer": "completion", "system": "prompt"}


def matches(row: Mapping[str, Any]) -> bool:
    return "prompt" in row and "completion" in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS | ({"label": "score"} if isinstance(row.get("label"), bool) else {})


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """Text, or messages that end with the user's turn and the assistant's. `label` of TRL becomes a score."""
    metadata = export_metadata(row)
    if metadata and (known := rebuilt(row.get("prompt"), row.get("completion"), row.get("tools"), metadata)):
        return [scored(labelled(known, options), scores_in(metadata))]
    asked = prompt_of(row.get("prompt"), "prompt")
    split, kept = _completion(row.get("completion"), asked, options.rule)
    used = set(_FIELDS)
    scores = flag("label", row.get("label"), scorer="trl") if isinstance(row.get("label"), bool) else []
    trace = split_trace(
        split,
        prompt=asked.prompt,
        meta=rest(row, used | {"label"} if scores else used),
        names=_NAMES,
        extra=kept,
        system=asked.system,
        source=source_of(row, options),
        model=row.get("model"),
    )
    return [scored(trace, scores)]


def rebuilt(prompt: Any, completion: Any, tools: Any, metadata: dict[str, Any]) -> Trace | None:
    """The trace of a row that Tunix RT exported, exactly as it was; None where the text was edited since."""
    if isinstance(prompt, str) and isinstance(completion, str):
        return rebuild_completion(prompt, completion, metadata)
    if isinstance(prompt, list) and isinstance(completion, list):
        return rebuild_messages([*prompt, *completion], tools, metadata)
    return None


def prompt_of(value: Any, field: str) -> Exchange:
    """A prompt of text or messages, of which the last is the user's; its answer is still empty."""
    nothing = Turn("assistant", "", {}, {}, field)
    if isinstance(value, str):
        return Exchange(None, value, nothing, {})
    turns = read_turns(value, field)
    if not turns or turns[-1].role != "user":
        raise InvalidTrace(
            field, f"must end with a turn of the user, not {last_role(turns)}. Put the answer into `completion`"
        )
    return exchange_of([*turns, nothing], field)


def _completion(value: Any, asked: Exchange, rule: Rule) -> tuple[Split, dict[str, Any]]:
    if isinstance(value, str):
        return split_completion(value, "completion", rule), asked.kept
    turns = read_turns(value, "completion")
    if not turns or turns[-1].role != "assistant" or any(turn.role in ("user", "system") for turn in turns):
        raise InvalidTrace(
            "completion",
            f"must hold one turn of the assistant, and no other but tools; its roles are {roles_of(turns)}",
        )
    kept = dict(asked.kept)
    if turns[:-1]:
        kept["between"] = [turn.raw for turn in turns[:-1]]
    if turns[-1].more:
        kept["message_keys"] = {**kept.get("message_keys", {}), "answer": turns[-1].more}
    return split_turn(turns[-1], rule), kept
