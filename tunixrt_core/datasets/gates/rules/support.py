"""Gate: final answer that never occurs in the reasoning."""

from __future__ import annotations

import re

from tunixrt_core.datasets.gates.check import Settings, row_gate
from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.datasets.gates.texts import compared_words, reasoning
from tunixrt_core.traces.answers.reading.amounts import read_number
from tunixrt_core.traces.answers.reading.readings import Amount
from tunixrt_core.traces.answers.reading.units import PERCENT
from tunixrt_core.traces.trace import Trace

_PLAIN = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?|\.\d+")
_FRACTION = re.compile(r"(?:\d+ )?\d+\s*/\s*\d+")


def answer_in_reasoning(trace: Trace) -> bool:
    """Whether the final answer is in the reasoning (see `occurs_in`)."""
    return occurs_in(trace.final_answer, reasoning(trace))


def occurs_in(answer: str, text: str) -> bool:
    """Whether a text contains the answer's number, in any spelling, or its words one after the other."""
    answer = answer.strip()
    number = read_number(answer)
    if number is not None and (_occurs_alone(answer, text) or _has_number(number, text)):
        return True
    wanted = compared_words(answer)
    if number is not None and answer[:1].isdecimal():  # the figures of `1.5` are no words
        return False
    if wanted:
        return f" {' '.join(wanted)} " in f" {' '.join(compared_words(text))} "
    return answer in text


def _occurs_alone(number: str, text: str) -> bool:
    """Whether a text contains a number as written, and not as a part of a longer one. Cheap, for most rows."""
    at = text.find(number)
    while at >= 0:
        before, after = text[at - 1 : at] if at else "", text[at + len(number) : at + len(number) + 2]
        if not (before.isdigit() or before in (".", ",") or after[:1].isdigit() or after[1:].isdigit()):
            return True
        at = text.find(number, at + 1)
    return False


def _has_number(number: Amount, text: str) -> bool:
    values = {number.value, -number.value, number.value if number.mantissa is None else number.mantissa}
    if number.unit == PERCENT:
        values |= {value / 100 for value in values}
    found = (one for pattern in (_PLAIN, _FRACTION) for one in pattern.findall(text))
    return any((read := read_number(one)) is not None and read.value in values for one in found)


def judge(trace: Trace, settings: Settings) -> Finding | None:
    # a row without reasoning is the affair of the gate for empty reasoning
    if not trace.steps or answer_in_reasoning(trace):
        return None
    return Finding(trace.content_hash, "missing", {})


GATE = row_gate(
    "answer_missing",
    "Answer missing from the reasoning",
    "the final answer is in no step, neither in these words nor as this number",
    judge,
    version=2,
)
