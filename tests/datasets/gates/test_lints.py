"""Checks of single traces."""

from __future__ import annotations

import pytest

from tunixrt_core.datasets.gates.lints import lint
from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.traces.trace import Step, Trace


def trace(answer: str, reference: str | None, *steps: str, prompt: str = "q") -> Trace:
    return Trace(prompt, tuple(Step(i, s) for i, s in enumerate(steps)), answer, reference_answer=reference)


@pytest.mark.parametrize(
    ("answer", "reference", "same"),
    [("72", "72", True), ("$1,000.", "1000", True), ("3.50", "3.5", True), ("71", "72", False), ("x", None, None)],
)
def test_answers_are_compared_as_numbers_where_they_are(answer: str, reference: str | None, same: bool | None) -> None:
    assert answer_matches(trace(answer, reference, "s")) is same


def test_a_sound_trace_has_no_lints() -> None:
    assert lint(trace("5", "5", "2 and 3 is 5")) == []


def test_lints_name_control_tokens_missing_steps_and_wrong_answers() -> None:
    found = lint(trace("5", "6", prompt="2+3?<end_of_turn>"))
    assert len(found) == 3
    assert "prompt holds the control token <end_of_turn>" in found[0]
    assert "no reasoning steps" in found[1]
    assert "differs from the reference" in found[2]
    assert "steps[0] holds the control token </think>" in lint(trace("5", "5", "a</think>b"))[0]
