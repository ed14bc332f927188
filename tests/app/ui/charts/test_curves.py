"""Curves: thinned without losing extremes, smoothed without a false start, right after a resume."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ui.charts.columns import MAX_PARTS
from app.ui.charts.curves import MAX_POINTS, Curves, downsample, scale_of, significant, smooth, smooth_at, superscript
from tunixrt_core.runs.metrics import Alert, CheckpointMetric, CompileMetric, EvalMetric, OtherMetric, TrainMetric


def train(step: int, loss: float, **more: Any) -> TrainMetric:
    return TrainMetric(train_step=step, loss=loss, **{"time": step / 2, **more})


def lists(series: tuple[Any, Any]) -> tuple[list[int], list[float]]:
    return series[0].tolist(), series[1].tolist()


def loss_of(curves: Curves, name: str, *, by_type: bool = False) -> tuple[list[int], list[float]]:
    """Where it is known."""
    steps, (losses,) = curves.train.losses([name], by_type=by_type)
    known = ~np.isnan(losses)
    return steps[known].tolist(), losses[known].tolist()


@given(st.lists(st.floats(-1e6, 1e6), max_size=3000), st.integers(4, 600))
def test_thinning_keeps_the_ends_the_extremes_and_the_order(values: list[float], limit: int) -> None:
    kept = downsample(values, limit).tolist()
    assert len(kept) <= max(limit, 0) or len(values) <= limit
    assert kept == sorted(set(kept))
    if values:
        assert (kept[0], kept[-1]) == (0, len(values) - 1)
        assert min(values[i] for i in kept) == min(values)
        assert max(values[i] for i in kept) == max(values)


def test_a_spike_of_one_train_step_among_many_stays_visible() -> None:
    noise = random.Random(0)
    values = [noise.random() for _ in range(100_000)]
    values[54_321] = 40.0
    kept = downsample(values).tolist()
    assert 54_321 in kept
    assert len(kept) <= MAX_POINTS


def test_smoothing_begins_at_the_first_value_and_follows() -> None:
    assert smooth([3.0, 3.0, 3.0], 0.9) == pytest.approx([3.0, 3.0, 3.0])
    assert smooth([4.0, 0.0], 0.5) == pytest.approx([4.0, 4 / 3])
    assert smooth([4.0, 0.0], 0.0).tolist() == [4.0, 0.0]


@given(
    st.lists(st.floats(0.01, 100) | st.just(math.nan), min_size=1, max_size=400),
    st.sampled_from([0.0, 0.6, 0.9, 0.96]),
)
def test_an_average_at_some_places_is_that_of_the_whole_curve(values: list[float], factor: float) -> None:
    places = list(range(0, len(values), 7))
    assert smooth_at(values, places, factor) == pytest.approx(smooth(values, factor)[places], rel=1e-3, nan_ok=True)


def test_shown_values_are_rounded_to_four_digits_and_stay_short() -> None:
    assert significant([2.13449, 0.000123456, 12_345.6, 0.0, -9.99951]) == [2.134, 0.0001235, 12_350.0, 0.0, -10.0]
    assert len(json.dumps(significant([x / 7 for x in range(1, 1000)]))) < 999 * 8


def test_a_scaled_axis_shows_plain_numbers() -> None:
    assert scale_of([1e-5, 2e-4]) == -4
    assert scale_of([]) == 0
    assert superscript(-4) == "⁻⁴"


def test_records_are_gathered_as_they_come() -> None:
    curves = Curves()
    curves.extend([train(1, 3.0, grad_norm=1.0), train(2, 2.0)], cursor=100)
    curves.extend([EvalMetric(train_step=2, loss=2.5), train(3, 1.0)], cursor=200)
    assert lists(curves.train.series("loss")) == ([1, 2, 3], [3.0, 2.0, 1.0])
    assert lists(curves.train.series("loss", first=2)) == ([2, 3], [2.0, 1.0])
    assert lists(curves.train.series("grad_norm")) == ([1], [1.0])
    assert lists(curves.evals.series("loss")) == ([2], [2.5])
    assert (curves.train.last("loss"), curves.evals.last("loss"), curves.train.last("grad_norm")) == (1.0, 2.5, None)


def test_a_train_step_that_a_resume_repeats_counts_once() -> None:
    curves = Curves()
    curves.extend([train(1, 3.0), train(2, 2.0), train(3, 9.0)], cursor=300)
    curves.extend([train(2, 1.9), train(3, 1.5)], cursor=500)
    assert lists(curves.train.series("loss")) == ([1, 2, 3], [3.0, 1.9, 1.5])


def test_a_file_that_was_cut_is_read_anew() -> None:
    curves = Curves()
    curves.extend([train(1, 3.0), train(2, 2.0), train(3, 9.0)], cursor=300)
    curves.extend([train(1, 3.0)], cursor=100)
    assert lists(curves.train.series("loss")) == ([1], [3.0])


def test_what_is_not_a_number_is_left_out_of_a_curve() -> None:
    curves = Curves()
    curves.extend([train(1, 3.0), train(2, math.nan), train(3, 1.0)], cursor=1)
    assert lists(curves.train.series("loss")) == ([1, 3], [3.0, 1.0])


def test_time_left_follows_the_pace_of_the_last_train_steps() -> None:
    curves = Curves()
    assert curves.seconds_left(100) is None
    curves.extend([train(step, 1.0) for step in range(1, 61)], cursor=1)
    assert curves.seconds_left(100) == pytest.approx(20.0)
    assert curves.seconds_left(60) == 0


def test_the_change_of_the_loss_compares_two_windows() -> None:
    curves = Curves()
    curves.extend([train(step, 2.0 if step <= 50 else 1.5) for step in range(1, 101)], cursor=1)
    assert curves.change() == pytest.approx(-0.5)
    assert Curves().change() is None
    assert curves.eval_change() is None


def test_checkpoints_compilations_and_alerts_are_not_evaluations() -> None:
    curves = Curves()
    curves.extend(
        [
            CompileMetric(train_step=0, length=96, seconds=5.0, expected=True),
            train(1, 3.0),
            EvalMetric(train_step=1, loss=2.0),
            CheckpointMetric(train_step=1, reason="best", seconds=0.1),
            Alert(train_step=1, alert="nan", evidence="x", change="y"),
            OtherMetric(kind="of a later version", train_step=1),
        ],
        cursor=1,
    )
    assert (len(curves.train), len(curves.evals)) == (1, 1)
    assert curves.checkpoints == {1: "best"}
    assert curves.compiled == [(0, 96)]
    assert [alert.alert for alert in curves.alerts] == ["nan"]


def test_losses_by_part_are_curves_that_may_begin_late_and_have_gaps() -> None:
    curves = Curves()
    curves.extend(
        [
            train(1, 3.0, parts={"answer": 2.0}),
            train(2, 2.0, parts={"answer": 1.5, "step 9": 1.0}, types={"compute": 0.5}),
            train(3, 1.0),
            train(2, 1.9, parts={"step 9": 0.9}),
        ],
        cursor=1,
    )
    assert loss_of(curves, "answer") == ([1], [2.0])
    assert loss_of(curves, "step 9") == ([2], [0.9])
    assert loss_of(curves, "compute", by_type=True) == ([], [])


def test_only_so_many_parts_are_kept() -> None:
    curves = Curves()
    curves.extend([train(1, 1.0, parts={f"step {k}": 1.0 for k in range(1, 500)})], cursor=1)
    assert len(curves.train.parts) == MAX_PARTS


def test_the_best_evaluation_is_the_first_of_the_lowest() -> None:
    curves = Curves()
    assert curves.best() is None
    losses = {1: 2.0, 2: 1.0, 3: math.nan, 4: 1.0}
    curves.extend([EvalMetric(train_step=step, loss=loss) for step, loss in losses.items()], cursor=1)
    assert curves.best() == (2, 1.0)


def test_the_wait_for_rows_is_a_share_of_the_time_of_the_last_train_steps() -> None:
    curves = Curves()
    curves.extend([train(1, 1.0), train(2, 1.0, step_seconds=2.0, input_wait_seconds=0.5)], cursor=1)
    assert curves.waiting_share() == 0.25
    assert Curves().waiting_share() is None
