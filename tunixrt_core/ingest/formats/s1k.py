"""Format `s1k`: s1K and s1K-1.1, with grades."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.errors import InvalidTrace
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
from tunixrt_core.ingest.reasoning.split import split_fields
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.kinds import kind_of

NAME = "s1k"

_WRITERS = ("gemini", "deepseek")
_GRADES = {"yes": 1.0, "no": 0.0}
_FIELDS = {
    "question": "prompt",
    "solution": "reference_answer",
    "thinking_trajectories": "steps",
    "attempt": "final_answer",
    "source": "source",
} | {
    f"{writer}_{column}": field
    for writer in _WRITERS
    for column, field in {
        "thinking_trajectory": "steps",
        "attempt": "final_answer",
        "grade": "score",
        "grade_reason": "score",
    }.items()
}


def matches(row: Mapping[str, Any]) -> bool:
    return "question" in row and ("thinking_trajectories" in row or _written(row) != [])


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """A trace of each writer; `Yes` and `No` of its grade become 1 and 0, with the reason as the note."""
    writers = _written(row)
    if not writers:
        return [_first(row, options)]
    return [_graded(row, writer, options) for writer in writers]


def _written(row: Mapping[str, Any]) -> list[str]:
    return [writer for writer in _WRITERS if row.get(f"{writer}_thinking_trajectory") is not None]


def _first(row: Mapping[str, Any], options: Options) -> Item:
    thoughts = row.get("thinking_trajectories")
    if not isinstance(thoughts, list) or len(thoughts) == 0 or not isinstance(thoughts[0], str):
        raise InvalidTrace(
            "thinking_trajectories", f"must be a list that begins with a text, not {kind_of(thoughts)}. Fill it in"
        )
    extra = {"more_trajectories": thoughts[1:]} if thoughts[1:] else {}
    return _trace(row, thoughts[0], "thinking_trajectories", "attempt", None, options, extra)


def _graded(row: Mapping[str, Any], writer: str, options: Options) -> Item:
    try:
        thought, grade = f"{writer}_thinking_trajectory", row.get(f"{writer}_grade")
        value = _GRADES.get(str(grade).strip().lower())
        reason = filled(row.get(f"{writer}_grade_reason"))
        extra = {} if value is not None or grade is None else {"grade": grade}
        if value is None and reason is not None:
            extra["grade_reason"] = reason
        trace = _trace(row, text(row, thought), thought, f"{writer}_attempt", writer, options, extra)
        return scored(trace, flag("correct", value, scorer="s1k grade", note=reason))
    except InvalidTrace as fault:
        return fault


def _trace(
    row: Mapping[str, Any],
    thought: str,
    thought_column: str,
    answer_column: str,
    model: str | None,
    options: Options,
    extra: Mapping[str, Any],
) -> Trace:
    return split_trace(
        split_fields(thought, text(row, answer_column), options.rule),
        prompt=text(row, "question"),
        meta=rest(row, _FIELDS),
        names={"prompt": "question", "steps": thought_column, "final_answer": answer_column},
        extra=extra,
        reference_answer=reference(row.get("solution"), "solution"),
        source=source_of(row, options, NAME),
        model=model,
    )
