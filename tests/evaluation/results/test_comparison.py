"""Two evaluations are compared row by row: what is counted, what is left out, and what is said of it."""

from __future__ import annotations

from dataclasses import asdict, replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.answers import answer, side, table
from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.results.comparison import compare, flipped
from tunixrt_core.evaluation.results.groups import MOST_VALUES
from tunixrt_core.evaluation.results.statistics import bootstrap_interval, mcnemar, wilson_interval


def test_a_comparison_is_paired_by_row_and_counts_each_kind() -> None:
    first, second = table(both=2, fixed=4, broken=1, neither=3)
    found = compare(first, list(reversed(second)))
    assert (found.rows, found.both, found.fixed, found.broken, found.neither) == (10, 2, 4, 1, 3)
    assert (found.wins, found.losses, found.ties) == (4, 1, 5)
    assert found.p_value == mcnemar(4, 1)


def test_means_have_wilsons_interval_and_the_difference_that_of_the_bootstrap() -> None:
    found = compare(*table(both=2, fixed=4, broken=1, neither=3))
    assert found.first is not None
    assert found.second is not None
    assert found.difference is not None
    assert (found.first.value, found.first.low, found.first.high) == (0.3, *wilson_interval(3, 10))
    assert (found.second.value, found.second.low, found.second.high) == (0.6, *wilson_interval(6, 10))
    assert found.difference.value == pytest.approx(0.3)
    assert (found.difference.low, found.difference.high) == bootstrap_interval([0.0] * 5 + [1.0] * 4 + [-1.0])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_the_other_way_round_wins_are_losses(scores: list[tuple[bool, bool]]) -> None:
    first, second = side([float(a) for a, _ in scores]), side([float(b) for _, b in scores])
    one, other = compare(first, second), compare(second, first)
    assert (one.fixed, one.broken, one.both, one.neither) == (other.broken, other.fixed, other.both, other.neither)
    assert one.p_value == other.p_value
    assert one.rows == one.wins + one.losses + one.ties == len(scores)


def test_rows_that_only_one_side_answered_are_left_out_and_said() -> None:
    first, second = side([1.0, 0.0, 1.0]), side([1.0, 1.0, 1.0, 0.0, 0.0])[1:]
    found = compare(first, second)
    assert (found.rows, found.only_first, found.only_second) == (2, 1, 2)
    assert "Left out: 1 row answered by the first only." in found.warnings
    assert "Left out: 2 rows answered by the second only." in found.warnings


def test_nothing_in_common_is_no_difference_of_zero() -> None:
    found = compare([answer(1, 1.0)], [answer(2, 1.0)])
    assert (found.rows, found.first, found.second, found.difference, found.p_value) == (0, None, None, None, 1.0)
    assert found.warnings[0] == "No row can be compared."


def test_a_score_that_could_not_be_told_leaves_its_row_out_and_is_counted() -> None:
    found = compare(side([1.0, None, 0.0, 1.0]), side([1.0, 1.0, None, 0.0]))
    assert (found.rows, found.not_told) == (2, 2)
    assert "Left out: 2 rows without a score on one side or both." in found.warnings


def test_an_id_that_stands_for_another_prompt_is_not_the_same_row() -> None:
    found = compare([answer(1, 0.0), answer(2, 0.0)], [answer(1, 1.0), answer(2, 1.0, prompt="Another")])
    assert (found.rows, found.changed) == (1, 1)
    assert any("another prompt or reference" in warning for warning in found.warnings)


def test_a_scorer_that_never_looked_at_the_answers_is_named_with_those_that_did() -> None:
    with pytest.raises(InvalidEvaluation, match="score of final_answer; available: exact_match"):
        compare(side([1.0]), side([1.0], scorer="exact_match"), "final_answer")


def test_a_row_with_several_answers_counts_once_with_its_mean() -> None:
    first = [answer(row, float(sample < row), sample=sample) for row in range(3) for sample in range(4)]
    second = [answer(row, 1.0) for row in range(3)]
    found = compare(first, second)
    assert found.first is not None
    assert (found.rows, found.first.value) == (3, 0.25)
    assert (found.binary, found.both, found.neither) == (False, None, None)
    assert [(flip.id, flip.first, flip.second) for flip in found.flipped] == [
        ("r0", 0.0, 1.0),
        ("r1", 0.25, 1.0),
        ("r2", 0.5, 1.0),
    ]


def test_answers_of_a_row_that_have_no_score_are_not_in_its_mean() -> None:
    first = [answer(1, 1.0), answer(1, None, sample=1), answer(1, 0.0, sample=2)]
    found = compare(first, [answer(1, 0.5)])
    assert (found.rows, found.not_told, found.ties) == (1, 0, 1)


def test_where_less_is_better_a_smaller_score_wins() -> None:
    first, second = side([30.0, 10.0, 5.0], scorer="tokens"), side([20.0, 9.0, 6.0], scorer="tokens")
    found = compare(first, second, "tokens", higher_is_better=False)
    assert (found.wins, found.losses) == (2, 1)
    assert [flip.better for flip in found.flipped] == [True, True, False]
    assert found.difference is not None
    assert found.gain is not None
    assert (found.difference.value, found.gain.value) == (pytest.approx(-10 / 3), pytest.approx(10 / 3))
    assert (found.gain.low, found.gain.high) == (-found.difference.high, -found.difference.low)


def test_where_less_is_better_a_score_of_0_is_right() -> None:
    first, second = table(both=2, fixed=4, broken=1, neither=3)
    found = compare(first, second, higher_is_better=False)
    assert (found.both, found.fixed, found.broken, found.neither) == (3, 1, 4, 2)


def test_flipped_rows_are_listed_in_the_order_of_the_eval_set() -> None:
    first, second = side([1.0, 1.0, 0.0, 0.0]), side([1.0, 0.0, 1.0, 0.0])
    found = compare(list(reversed(first)), second)
    assert [(flip.id, flip.row, flip.better) for flip in found.flipped] == [("r1", 1, False), ("r2", 2, True)]
    assert [(a.id, b.id) for a, b in flipped(first, second)] == [("r1", "r1"), ("r2", "r2")]


def test_of_several_answers_to_a_flipped_row_the_first_that_differ_are_shown() -> None:
    first = [answer(1, score, sample=sample) for sample, score in enumerate([1.0, 1.0, 0.0])]
    second = [answer(1, score, sample=sample) for sample, score in enumerate([1.0, 0.0, 0.0])]
    assert [(a.sample, b.sample) for a, b in flipped(first, second)] == [(1, 1)]
    assert [(a.sample, b.sample) for a, b in flipped(first, second[:1])] == [(2, 0)]


@pytest.mark.parametrize(("fixed", "warned"), [(5, True), (6, False)])
def test_fewer_than_six_flipped_rows_are_said_to_be_too_few(fixed: int, warned: bool) -> None:
    found = compare(*table(both=50, fixed=fixed, broken=0, neither=0))
    assert any("fewer than 6 can never reach p < 0.05" in warning for warning in found.warnings) is warned
    assert (found.p_value < 0.05) is not warned


def test_a_wide_interval_around_0_says_how_many_rows_it_would_take() -> None:
    found = compare(*table(both=30, fixed=10, broken=7, neither=3))
    assert found.rows_needed is not None
    assert 300 < found.rows_needed < 1000
    assert any(f"needs about {found.rows_needed} rows" in warning for warning in found.warnings)


def test_an_interval_narrower_than_what_is_of_interest_is_no_cause_to_warn() -> None:
    first, second = table(both=900, fixed=10, broken=9, neither=81)
    assert compare(first, second).warnings == ()
    assert compare(first, second, of_interest=0.001).warnings != ()


def test_a_difference_that_is_plain_brings_no_warning() -> None:
    found = compare(*table(both=3, fixed=60, broken=0, neither=5))
    assert found.warnings == ()
    assert found.p_value < 0.001


def by_section(scores: list[float]) -> list[Prediction]:
    sections = ["10", "9", "sums"]
    made = [answer(row, score, groups={"section": sections[row % 3]}) for row, score in enumerate(scores)]
    return [*made, answer(len(scores), 1.0)]


def test_a_comparison_is_broken_down_by_every_value_of_a_column() -> None:
    first, second = by_section([0.0] * 30), by_section([1.0, 0.0, 0.0] * 10)
    found = compare(first, second)
    told = [(group.column, group.value, group.rows, group.fixed) for group in found.groups]
    assert told == [
        ("section", "9", 10, 0),
        ("section", "10", 10, 10),
        ("section", "sums", 10, 0),
        ("section", None, 1, 0),
    ]
    assert found.groups[1].p_value == mcnemar(10, 0)
    assert found.groups[1].p_holm == 4 * mcnemar(10, 0)  # the smallest of four looks
    assert found.groups[0].p_holm == 1.0


def test_the_figures_of_a_group_are_those_of_its_rows_alone() -> None:
    first, second = by_section([0.0, 1.0, 0.0] * 10), by_section([1.0, 0.0, 1.0] * 10)
    group = compare(first, second).groups[0]
    alone = compare(
        [p for p in first if p.groups.get("section") == group.value],
        [p for p in second if p.groups.get("section") == group.value],
    )
    same = ("rows", "first", "second", "difference", "both", "fixed", "broken", "neither", "p_value")
    assert [getattr(group, name) for name in same] == [getattr(alone, name) for name in same]


def test_a_column_that_names_rows_is_not_broken_down_and_said() -> None:
    rows = [answer(row, 1.0, groups={"source": str(row), "kind": "a"}) for row in range(MOST_VALUES + 1)]
    found = compare(rows, rows)
    assert [group.column for group in found.groups] == ["kind"]
    assert "Not broken down by source: it has more than 100 values." in found.warnings


def test_a_comparison_is_plain_data_that_can_be_sent() -> None:
    found = compare(by_section([0.0] * 6), by_section([1.0] * 6))
    told = orjson.loads(orjson.dumps(asdict(found)))
    assert (told["fixed"], told["groups"][0]["value"], told["flipped"][0]["id"]) == (6, "9", "r0")


def test_the_same_answers_give_the_same_comparison() -> None:
    first = [replace(p, scores={"length": 1.7 * p.row}) for p in side([0.0] * 50)]
    second = [replace(p, scores={"length": 90 - p.row / 3}) for p in side([0.0] * 50)]
    assert compare(first, second, "length") == compare(list(reversed(first)), list(reversed(second)), "length")


def test_ten_thousand_rows_are_compared() -> None:
    found = compare(*table(both=4000, fixed=2000, broken=1500, neither=2500))
    assert (found.rows, found.both, found.fixed, found.broken, found.neither) == (10_000, 4000, 2000, 1500, 2500)
