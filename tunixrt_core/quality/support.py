"""Gate: the final answer stands nowhere in the reasoning, so that a model learns to jump to it."""

from __future__ import annotations

import re

from tunixrt_core.quality.check import Settings, row_gate
from tunixrt_core.quality.findings import Finding
from tunixrt_core.quality.numbers import read_number
from tunixrt_core.quality.texts import plain_words, reasoning
from tunixrt_core.traces import Trace

_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:\s*/\s*\d+)?|\.\d+")


def answer_in_reasoning(trace: Trace) -> bool:
    """Whether the answer's words stand in the reasoning, one after the other, or its number in any spelling."""
    text = reasoning(trace)
    answer = trace.final_answer.strip()
    if answer in text:
        return True
    wanted = plain_words(answer)
    if wanted and f" {' '.join(wanted)} " in f" {' '.join(plain_words(text))} ":
        return True
    return _has_number(answer, text)


def _has_number(answer: str, text: str) -> bool:
    number = read_number(answer)
    if number is None:
        return False
    values = {number.value, -number.value, number.value / 100 if number.unit == "%" else number.value}
    return any((one := read_number(found)) is not None and one.value in values for found in _NUMBER.findall(text))


def judge(trace: Trace, settings: Settings) -> Finding | None:
    # a row without reasoning is the affair of the gate for empty reasoning
    if not trace.steps or answer_in_reasoning(trace):
        return None
    return Finding(trace.content_hash, "missing", {})


GATE = row_gate(
    "answer_missing",
    "Answer missing from the reasoning",
    "the final answer stands in no step, neither in these words nor as this number",
    judge,
)
