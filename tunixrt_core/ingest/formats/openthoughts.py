"""Format `openthoughts`: metadata rows of OpenThoughts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.ingest.formats.fields import Item, Options, reference, rest, source_of, split_trace, text
from tunixrt_core.ingest.reasoning.split import split_fields

NAME = "openthoughts"

_FIELDS = {
    "problem": "prompt",
    "deepseek_reasoning": "steps",
    "deepseek_solution": "final_answer",
    "ground_truth_solution": "reference_answer",
    "source": "source",
}


def matches(row: Mapping[str, Any]) -> bool:
    return "problem" in row and "deepseek_reasoning" in row and "deepseek_solution" in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """One trace of DeepSeek; the answer is what is boxed in its solution, else the whole solution."""
    split = split_fields(text(row, "deepseek_reasoning"), text(row, "deepseek_solution"), options.rule)
    truth = reference(row.get("ground_truth_solution"), "ground_truth_solution")
    return [
        split_trace(
            split,
            prompt=text(row, "problem"),
            meta=rest(row, _FIELDS),
            names={"prompt": "problem", "steps": "deepseek_reasoning", "final_answer": "deepseek_solution"},
            reference_answer=truth,
            source=source_of(row, options, NAME),
            model="deepseek",
        )
    ]
