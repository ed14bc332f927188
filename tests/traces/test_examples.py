"""The bundled example traces."""

from __future__ import annotations

import re

import pytest

from tunixrt_core.traces.examples import DEFAULT_COUNT, SOURCE, example_traces
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.hashing import content_hash

STEP = re.compile(r"(\d) (forward|back) (\d) is (\d)\.")


def test_the_same_seed_gives_the_same_traces_on_every_machine() -> None:
    hashes = [trace.content_hash for trace in example_traces(50)]
    assert content_hash(hashes) == "123d755ffcc479116ecd5166be4489f29621d348331bc77c26bcec10694f2cf1"


def test_another_seed_gives_other_traces() -> None:
    assert next(example_traces(1, seed=0)) != next(example_traces(1, seed=1))


def test_fewer_traces_are_the_first_of_more() -> None:
    assert list(example_traces(5)) == list(example_traces(20))[:5]


def test_no_two_prompts_are_the_same_task() -> None:
    assert len({trace.group_key for trace in example_traces()}) == DEFAULT_COUNT


@pytest.mark.parametrize("trace", list(example_traces(20)), ids=lambda trace: trace.content_hash[:8])
def test_the_steps_of_a_trace_lead_to_its_answer(trace: Trace) -> None:
    start = re.search(r"shows (\d)", trace.prompt)
    assert start is not None
    hand = int(start[1])
    for step in trace.steps:
        found = STEP.fullmatch(step.content)
        assert found is not None
        before, way, amount, after = found.groups()
        assert int(before) == hand
        assert f"{amount} {way}" in trace.prompt
        hand = (hand + (int(amount) if way == "forward" else -int(amount))) % 10
        assert int(after) == hand
    assert trace.final_answer == trace.reference_answer == str(hand)
    assert trace.source == SOURCE


def test_the_answers_are_spread_so_that_guessing_is_right_one_time_in_ten() -> None:
    answers = [trace.final_answer for trace in example_traces()]
    assert max(answers.count(str(digit)) for digit in range(10)) < 0.15 * len(answers)
