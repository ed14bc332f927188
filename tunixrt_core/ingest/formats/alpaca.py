"""Format `alpaca`: `instruction`, `input` and `output`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import Item, Options, rest, source_of, split_trace, text
from tunixrt_core.ingest.reasoning.split import split_completion
from tunixrt_core.util.kinds import not_text

NAME = "alpaca"

_FIELDS = {
    "instruction": "prompt",
    "input": "prompt",
    "output": "steps, final_answer",
    "system": "system",
    "source": "source",
    "model": "model",
}
_BETWEEN = "\n\n"


def matches(row: Mapping[str, Any]) -> bool:
    return "instruction" in row and "output" in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The prompt is the instruction and, after a blank line, the input; `meta.input_from` says where that begins."""
    instruction, given = text(row, "instruction"), row.get("input")
    if given is not None and not isinstance(given, str):
        raise InvalidTrace("input", not_text(given))
    prompt = f"{instruction}{_BETWEEN}{given}" if given else instruction
    return [
        split_trace(
            split_completion(text(row, "output"), "output", options.rule),
            prompt=prompt,
            meta=rest(row, _FIELDS),
            names={"prompt": "instruction", "steps": "output", "final_answer": "output"},
            extra={"input_from": len(instruction) + len(_BETWEEN)} if given else None,
            system=row.get("system"),
            source=source_of(row, options),
            model=row.get("model"),
        )
    ]
