"""Scores that come with a trace: finite, named, and of existing steps."""

from __future__ import annotations

import math

import pytest

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.scores import GivenScore, ScoredTrace
from tunixrt_core.traces.trace import Step, Trace


def test_a_score_survives_its_json_form() -> None:
    score = GivenScore(name="rating", value=-1.0, step=2, note="slip", scorer="prm800k", version="1", kind="human")
    assert GivenScore.from_dict(score.to_dict()) == score
    plain = GivenScore(name="correct", value=1.0, scorer="math_verify", version="1")
    assert plain.to_dict() == {
        "name": "correct",
        "value": 1.0,
        "scorer": "math_verify",
        "version": "1",
        "kind": "automatic",
    }


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(InvalidTrace, match="not a finite number"):
        GivenScore(name="x", value=value, scorer="s", version="1")


def test_a_score_names_a_step_that_is_there() -> None:
    trace = Trace("p", (Step(0, "s"),), "a")
    one = GivenScore(name="x", value=1.0, step=1, scorer="s", version="1")
    with pytest.raises(InvalidTrace, match="names step 1"):
        ScoredTrace(trace, (one,))
