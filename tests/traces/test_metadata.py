"""A rendered row brings its trace back exactly as it was, or says that it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.export.test_export import TRACES
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.metadata import (
    rebuild_completion,
    rebuild_reasoning,
    rebuild_steps,
    rendered_metadata,
)
from tunixrt_core.traces.rendering.styles import ReasoningStyle, render_completion
from tunixrt_core.traces.scores import GivenScore, scores_in
from tunixrt_core.traces.trace import Step, Trace

PLAIN = Trace("2+3?", (Step(0, "2 and 3"), Step(1, "is 5")), "5")


def contents(trace: Trace) -> list[str]:
    return [step.content for step in trace.steps]


def metadata(trace: Trace, style: ReasoningStyle | None) -> dict[str, Any]:
    return rendered_metadata(trace.to_dict(), trace.content_hash, contents(trace), style=style)


@pytest.mark.parametrize("style", ReasoningStyle)
@given(trace=TRACES)
def test_any_trace_comes_back_from_its_completion(style: ReasoningStyle, trace: Trace) -> None:
    completion = render_completion(contents(trace), trace.final_answer, style)
    assert rebuild_completion(trace.prompt, completion, metadata(trace, style)) == trace


@given(trace=TRACES)
def test_any_trace_comes_back_from_reasoning_and_answer(trace: Trace) -> None:
    reasoning = "\n".join(contents(trace))
    assert rebuild_reasoning(trace.prompt, reasoning, trace.final_answer, metadata(trace, None)) == trace


@given(trace=TRACES)
def test_any_trace_comes_back_from_its_steps(trace: Trace) -> None:
    carried = metadata(trace, ReasoningStyle.ANSWER) | {"final_answer": trace.final_answer}
    assert rebuild_steps(trace.prompt, carried) == trace
    assert rebuild_steps(trace.prompt, carried, steps=contents(trace)) == trace


@pytest.mark.parametrize("style", ReasoningStyle)
def test_an_edited_row_is_not_taken_for_the_trace(style: ReasoningStyle) -> None:
    carried = metadata(PLAIN, style)
    completion = render_completion(contents(PLAIN), "5", style)
    assert rebuild_completion("2+4?", completion, carried) is None
    assert rebuild_completion("2+3?", completion.replace("5", "6"), carried) is None
    assert rebuild_completion("2+3?", f"Well. {completion}", carried) is None
    assert rebuild_reasoning("2+3?", "2 and 4\nis 6", "5", metadata(PLAIN, None)) is None
    assert rebuild_steps("2+3?", carried | {"final_answer": "5"}, steps=["guess"]) is None


@pytest.mark.parametrize(
    "foreign",
    [
        {},
        {"style": "tags"},
        {"style": "prose", "step_chars": [1]},
        {"style": "tags", "step_chars": "long"},
        {"style": "tags", "step_chars": [-1, 2]},
        {"style": "answer", "trace_steps": 7, "final_answer": 5},
        {"trace_id": "x", "trace_steps": [1], "final_answer": "5"},
    ],
)
@given(text=st.text())
def test_metadata_of_another_program_rebuilds_nothing_and_breaks_nothing(foreign: dict[str, Any], text: str) -> None:
    assert rebuild_completion("2+3?", text, foreign) is None
    assert rebuild_reasoning("2+3?", text, "5", foreign) is None
    assert rebuild_steps("2+3?", foreign) is None


def test_scores_travel_with_the_row() -> None:
    score = GivenScore(name="rating", value=1.0, step=1, scorer="me", version="1", kind="human")
    carried = rendered_metadata(PLAIN.to_dict(), PLAIN.content_hash, contents(PLAIN), scores=[score])
    assert scores_in(carried) == (score,)
    assert scores_in({}) == ()
    with pytest.raises(InvalidTrace, match=r"metadata\.scores"):
        scores_in({"scores": [{"value": 1.0}]})
