"""Format `sharegpt`: `conversations` of `from` and `value`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.ingest.formats.fields import Item, Options, filled, rest, source_of, split_trace
from tunixrt_core.ingest.reasoning.turns import exchange_of, read_turns, split_turn

NAME = "sharegpt"

_FIELDS = {
    "conversations": "prompt, steps, final_answer",
    "system": "system",
    "source": "source",
    "model": "model",
}
_NAMES = {"prompt": "conversations", "steps": "conversations"}


def matches(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("conversations"), list)


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """As with messages. A `question` that says the same as the prompt is not kept twice."""
    system = filled(row.get("system"))
    found = exchange_of(read_turns(row.get("conversations"), "conversations"), "conversations", system)
    meta = rest(row, ("conversations", "source", "model", *(["system"] if system or row.get("system") is None else [])))
    if meta.get("question") == found.prompt:
        del meta["question"]
    return [
        split_trace(
            split_turn(found.answer, options.rule),
            prompt=found.prompt,
            meta=meta,
            names=_NAMES | {"final_answer": found.answer.field},
            extra=found.kept,
            system=found.system,
            source=source_of(row, options),
            model=row.get("model"),
        )
    ]
