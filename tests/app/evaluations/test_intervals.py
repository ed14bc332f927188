"""Every score's difference between two evaluations, with the interval that says whether it is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from app.evaluations.evaluated import Side
from app.evaluations.intervals import differences, figure_of, finding
from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.scorers.known import KnownScorer
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import RunStatus

SCORERS = [
    KnownScorer("exact_match", 1, ""),
    KnownScorer("repetition", 1, "", higher_is_better=False),
    KnownScorer("step_count", 1, "", "count"),
    KnownScorer("format_valid", 1, ""),
    KnownScorer("regex", 1, ""),
]


def side(name: str, scores: Sequence[Mapping[str, float]]) -> Side:
    answers = [
        Prediction(str(i), f"prompt {i}", "1", "1", "1", one, tokens=3, hit_limit=False, row=i)
        for i, one in enumerate(scores)
    ]
    record = EvalRecord(
        name, "r-0001", "tuned", RunStatus.SUCCEEDED, "", datetime(2026, 1, 1, tzinfo=UTC), train_step=5
    )
    return Side(record, None, answers)


@pytest.fixture
def sides() -> tuple[Side, Side]:
    """Sixty rows: many more right, much more repetition, the format as before, a score that only one has."""
    first = [
        {"exact_match": 0.0, "repetition": 0.0, "step_count": 2.0, "format_valid": float(i % 2)} for i in range(60)
    ]
    second = [
        {"exact_match": float(i % 3 > 0), "repetition": 0.4 + 0.01 * (i % 5), "step_count": 9.0}
        | {"format_valid": float(i % 2), "regex": 1.0}
        for i in range(60)
    ]
    return side("e-0001", first), side("e-0002", second)


def test_each_share_that_both_have_is_told_as_better_worse_or_neither(sides: tuple[Side, Side]) -> None:
    found = differences(*sides, SCORERS)
    assert [(one.name, one.kind) for one in found] == [
        ("exact_match", "better"),
        ("repetition", "worse"),
        ("format_valid", "undecided"),
    ]
    assert found[0].first == 0
    assert found[0].second == pytest.approx(2 / 3)
    assert found[0].difference.low < 2 / 3 < found[0].difference.high
    assert found[0].p_holm < 0.001
    assert found[2].p_holm == 1


def test_the_chart_has_one_row_a_score_and_the_intervals_in_points(sides: tuple[Side, Side]) -> None:
    found = differences(*sides, SCORERS)
    traces = {trace.name: trace for trace in figure_of(found).data}
    assert list(traces) == ["Better", "Worse", "Undecided"]
    better = traces["Better"]
    assert list(better.y) == ["Exact match"]
    assert better.x[0] == pytest.approx(200 / 3)
    assert better.x[0] + better.error_x.array[0] == pytest.approx(100 * found[0].difference.high)
    assert better.x[0] - better.error_x.arrayminus[0] == pytest.approx(100 * found[0].difference.low)


def test_what_the_chart_shows_is_said_in_words(sides: tuple[Side, Side]) -> None:
    said = finding(differences(*sides, SCORERS), "base", "tuned")
    assert said.startswith("tuned minus base: Exact match +66.7 points (")
    assert "Repetition +42.0 points" in said
    assert said.endswith("Format valid +0.0 points (+0.0 to +0.0), undecided.")
