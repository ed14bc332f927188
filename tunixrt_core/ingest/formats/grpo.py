"""Format `grpo`: `prompts`, `question` and `answer`, without reasoning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    export_metadata,
    labelled,
    named_as,
    rest,
    scored,
    source_of,
    text,
)
from tunixrt_core.traces.metadata import rebuild_steps
from tunixrt_core.traces.scores import scores_in
from tunixrt_core.traces.trace import Trace

NAME = "grpo"

_FIELDS = {
    "prompts": "meta",
    "question": "prompt",
    "answer": "final_answer, reference_answer",
    "source": "source",
    "model": "model",
}


def matches(row: Mapping[str, Any]) -> bool:
    return "prompts" in row and "question" in row and "answer" in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The answer is the one to reach, so it is final answer and reference. Rendered `prompts` are kept in `meta`."""
    question, answer = text(row, "question"), text(row, "answer")
    if (metadata := export_metadata(row)) and (known := rebuild_steps(question, metadata)):
        return [scored(labelled(known, options), scores_in(metadata))]
    meta = rest(row, ("question", "answer", "source", "model"))
    if meta.get("prompts") == question:
        del meta["prompts"]
    with named_as({"prompt": "question", "final_answer": "answer", "reference_answer": "answer"}):
        return [
            Trace(
                prompt=question,
                steps=(),
                final_answer=answer,
                reference_answer=answer,
                meta=meta,
                source=source_of(row, options),
                model=row.get("model"),
            )
        ]
