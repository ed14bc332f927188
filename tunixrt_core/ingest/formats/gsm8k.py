"""Format `gsm8k`: `question` and `answer`, one step a line, calculator marks, the result after `####`."""

from __future__ import annotations

import re
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.fields import named_as, text
from tunixrt_core.traces import Step, Trace

NAME = "gsm8k"

_CALCULATOR = re.compile(r"<<[^<>\n]*>>")
_FIELDS = {"prompt": "question", "steps": "answer", "final_answer": "answer", "reference_answer": "answer"}


def matches(row: dict[str, Any]) -> bool:
    return set(row) == {"question", "answer"} and isinstance(row["answer"], str) and "####" in row["answer"]


def to_trace(row: dict[str, Any], source: str | None) -> Trace:
    """Steps are the non-blank lines before `####`, without `<<48/2=24>>`; what follows it is answer and reference."""
    question, answer = text(row, "question"), text(row, "answer")
    if unknown := sorted(set(row) - {"question", "answer"}):
        raise InvalidTrace(unknown[0], "is not a field of this format")
    reasoning, mark, result = answer.rpartition("####")
    if not mark:
        raise InvalidTrace("answer", "has no `####` before the final answer")
    lines = (line.strip() for line in _CALCULATOR.sub("", reasoning).split("\n"))
    with named_as(_FIELDS):
        return Trace(
            prompt=question,
            steps=tuple(Step(i, line) for i, line in enumerate(line for line in lines if line)),
            final_answer=result.strip(),
            reference_answer=result.strip(),
            source=source or "gsm8k",
        )
