"""A chart fits into the bytes that a tick has for it, with its extremes, and says what it shows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from app.ui.charts.charts import Axis, Chart, Line, Marks, View, size_of
from app.ui.charts.curves import MAX_POINTS

AXIS = Axis("Loss", "%.3f")


def chart(values: Any, **more: Any) -> Chart:
    steps = np.arange(1, len(values) + 1)
    return Chart("chart", "words", (0, 100), AXIS, steps, [Line("Loss", np.asarray(values, float), "#123456")], **more)


def rows(option: dict[str, Any]) -> list[tuple[Any, ...]]:
    return list(option["dataset"]["source"])


@pytest.mark.parametrize("most", [1500, 3000, 4500, 8000])
@pytest.mark.parametrize("guess", [30, 200, MAX_POINTS])
def test_as_many_points_as_fit_and_no_spike_is_lost(most: int, guess: int) -> None:
    values = np.sin(np.arange(50_000) / 900) + 3
    values[31_234] = 40.0
    option, points = chart(values).fit(most, guess)
    assert 0.6 * most < size_of(option) <= most
    assert (31_235, 40.0) in rows(option)
    assert (rows(option)[0][0], rows(option)[-1][0]) == (1, 50_000)
    assert chart(values).fit(most, points) == (option, points), "the next guess is right at once"


def test_a_short_curve_is_drawn_whole() -> None:
    option, _ = chart([3.0, 2.0, 1.0]).fit(4500)
    assert rows(option) == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert len(rows(chart(np.ones(50_000)).fit(None)[0])) <= MAX_POINTS


def test_a_gap_is_null_and_hidden_train_steps_are_averaged_over_only() -> None:
    steps, losses = np.arange(1, 6), np.array([9.0, 1.0, math.nan, 1.0, 1.0])
    drawn = Chart("chart", "", (0, 5), AXIS, steps, [Line("Loss", losses, "#123456", 0.5)], hidden=1)
    assert rows(drawn.option(MAX_POINTS)) == [(2, 3.667), (3, None), (4, 1.727), (5, 1.296)]


def test_a_curve_of_one_point_has_a_symbol_and_an_empty_chart_has_no_rows() -> None:
    assert chart([1.0]).option(10)["series"][0]["showSymbol"] is True
    assert chart([1.0, 2.0]).option(10)["series"][0]["showSymbol"] is False
    assert rows(Chart("chart", "", (0, 0), AXIS).option(10)) == []
    assert Chart("chart", "", (0, 0), AXIS).option(10)["xAxis"]["max"] == "dataMax"


def test_marks_that_are_many_are_thinned_too() -> None:
    marks = Marks("Eval", np.arange(0, 50_000, 100), np.linspace(3, 1, 500), "#123456")
    drawn = Chart("chart", "", (0, 50_000), AXIS, marks=[marks])
    option, _ = drawn.fit(2000)
    assert size_of(option) <= 2000
    assert option["series"][0]["data"][-1] == [49_900, 1.0]


def test_a_zoom_is_the_axis_and_hiding_the_beginning_is_not() -> None:
    assert View(first=21).span(400) == (0, 400)
    assert View(first=21).begin == 21
    zoomed = View(first=21, zoom=(100, 300))
    assert (zoomed.span(400), zoomed.begin, zoomed.last) == ((100, 300), 100, 300)
