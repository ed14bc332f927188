"""Format `openmathreasoning`: generated solution and expected answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    filled,
    flag,
    reference,
    rest,
    scored,
    source_of,
    split_trace,
    text,
)
from tunixrt_core.ingest.reasoning.split import split_completion

NAME = "openmathreasoning"

_FIELDS = {
    "problem": "prompt",
    "generated_solution": "steps, final_answer",
    "expected_answer": "reference_answer",
    "generation_model": "model",
    "source": "source",
    "pass_rate_72b_tir": "meta, score",
}


def matches(row: Mapping[str, Any]) -> bool:
    return "problem" in row and "generated_solution" in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The pass rate is text in this data: it stays in `meta` as it is, and is a score where it is a number."""
    trace = split_trace(
        split_completion(text(row, "generated_solution"), "generated_solution", options.rule),
        prompt=text(row, "problem"),
        meta=rest(row, set(_FIELDS) - {"pass_rate_72b_tir"}),
        names={"prompt": "problem", "steps": "generated_solution", "final_answer": "generated_solution"},
        reference_answer=reference(row.get("expected_answer"), "expected_answer"),
        source=source_of(row, options, NAME),
        model=filled(row.get("generation_model")),
    )
    return [scored(trace, flag("pass_rate", _number(row.get("pass_rate_72b_tir")), scorer="qwen2.5-math-72b tir"))]


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None  # the data writes n/a
