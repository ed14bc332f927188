"""Format `preference`: a better and a worse answer to one prompt, `chosen` and `rejected`: two traces a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    flag,
    labelled,
    missing,
    object_in,
    rest,
    scored,
    source_of,
    split_trace,
)
from tunixrt_core.ingest.formats.prompt_completion import prompt_of, rebuilt
from tunixrt_core.ingest.reasoning.split import Split, split_completion
from tunixrt_core.ingest.reasoning.turns import Exchange, exchange_of, last_role, read_turns, split_turn
from tunixrt_core.traces.metadata import carried_scores
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Trace

NAME = "preference"

SIDES = {"chosen": 1.0, "rejected": 0.0}
_FIELDS = {
    "prompt": "prompt",
    "chosen": "steps, final_answer, score",
    "rejected": "steps, final_answer, score",
    "source": "source",
    "model": "model",
}


def matches(row: Mapping[str, Any]) -> bool:
    return "chosen" in row and "rejected" in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """Each side is a trace with the score `preferred`, 1 or 0. Sides may repeat the prompt, as messages."""
    return [_side(row, side, options) for side in SIDES]


def _side(row: Mapping[str, Any], side: str, options: Options) -> Item:
    try:
        if known := _exported(row, side):
            return scored(labelled(known[0], options), known[1])
        asked, split = _exchange(row, side, options)
        trace = split_trace(
            split,
            prompt=asked.prompt,
            meta=rest(row, _FIELDS),
            names={"prompt": "prompt", "steps": side, "final_answer": side},
            extra=asked.kept,
            system=asked.system,
            source=source_of(row, options),
            model=row.get("model"),
        )
        return scored(trace, flag("preferred", SIDES[side], scorer="preference"))
    except InvalidTrace as fault:
        return fault


def _exported(row: Mapping[str, Any], side: str) -> tuple[Trace, tuple[GivenScore, ...]] | None:
    """One side of a row that Tunix RT exported, whose metadata holds that of both sides."""
    metadata = object_in(row, "metadata")
    own = metadata.get(side) if isinstance(metadata, dict) else None
    if not isinstance(own, dict) or "trace_id" not in own:
        return None
    trace = rebuilt(prompt_of(row.get("prompt"), "prompt").prompt, row.get(side), own)
    return None if trace is None else (trace, carried_scores(own))


def _exchange(row: Mapping[str, Any], side: str, options: Options) -> tuple[Exchange, Split]:
    value, prompt = row.get(side), row.get("prompt")
    if isinstance(value, str):
        if prompt is None:
            raise InvalidTrace("prompt", missing("prompt", row))
        return prompt_of(prompt, "prompt"), split_completion(value, side, options.rule)
    turns = read_turns(value, side)
    if prompt is not None and not any(turn.role == "user" for turn in turns):
        asked = prompt_of(prompt, "prompt")
        if not turns or turns[-1].role != "assistant":
            raise InvalidTrace(
                side, f"must end with a turn of the assistant, not {last_role(turns)}. Put the answer last"
            )
        kept = asked.kept | ({"between": [turn.raw for turn in turns[:-1]]} if turns[:-1] else {})
        if turns[-1].more:
            kept["message_keys"] = {**kept.get("message_keys", {}), "answer": turns[-1].more}
        return asked._replace(kept=kept), split_turn(turns[-1], options.rule)
    found = exchange_of(turns, side)
    return found, split_turn(found.answer, options.rule)
