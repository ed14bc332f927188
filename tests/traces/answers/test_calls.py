"""Calls are the same where tool and arguments are, whatever their form and order."""

from __future__ import annotations

import pytest

from tunixrt_core.traces.answers.comparison import compare
from tunixrt_core.traces.answers.reading.readings import Verdict

ONE = '{"name": "weather", "arguments": {"city": "Köln", "days": 2}}'
OTHER = '{"name": "add", "arguments": {"a": [1, {"b": true}]}}'


@pytest.mark.parametrize(
    ("expected", "given", "verdict"),
    [
        (ONE, '{"arguments": {"days": 2.0, "city": "Köln"}, "name": "weather"}', Verdict.SAME),
        (ONE, '<tool_call>\n{"name":"weather","arguments":{"city":"K\\u00f6ln","days":2}}\n</tool_call>', Verdict.SAME),
        (ONE, '{"name": "weather", "parameters": {"days": 2, "city": "Köln"}}', Verdict.SAME),
        (f"{ONE}\n{OTHER}", f"<tool_call>{OTHER}</tool_call><tool_call>{ONE}</tool_call>", Verdict.SAME),
        (ONE, '{"name": "weather", "arguments": {"city": "Bonn", "days": 2}}', Verdict.DIFFERENT),
        (ONE, '{"name": "weather", "arguments": {"city": "Köln"}}', Verdict.DIFFERENT),
        (ONE, '{"name": "forecast", "arguments": {"city": "Köln", "days": 2}}', Verdict.DIFFERENT),
        (OTHER, '{"name": "add", "arguments": {"a": [1, {"b": 1}]}}', Verdict.DIFFERENT),
        (ONE, f"{ONE}\n{ONE}", Verdict.DIFFERENT),
        (f"{ONE}\n{OTHER}", ONE, Verdict.DIFFERENT),
        (ONE, "It is warm.", Verdict.UNKNOWN),
        (ONE, ONE[:-1], Verdict.UNKNOWN),
    ],
)
def test_calls_are_compared_by_what_they_call(expected: str, given: str, verdict: Verdict) -> None:
    assert compare(expected, given) is verdict
