"""Curves of runs over one axis: train steps, tokens or time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import pytest

from app.compare.data import Reading
from app.compare.views import csv, eval_points, figure_of, finding_of, page_of, points, setting_words
from app.ui.charts.curves import Curves
from tunixrt_core.runs.metrics import EvalMetric, Metric, TrainMetric


@dataclass
class Named:
    id: str


def curves(*records: Metric) -> Curves:
    made = Curves()
    made.extend(records, cursor=1)
    return made


def train(step: int, loss: float) -> TrainMetric:
    return TrainMetric(train_step=step, loss=loss, trained_tokens=100, time=60.0 * step)


RUN = curves(train(1, 3.0), train(2, 2.0), EvalMetric(train_step=2, loss=2.5), train(3, 1.0))


@pytest.mark.parametrize(("along", "xs"), [("Train step", [1, 2, 3]), ("Tokens", [100, 200, 300]), ("Time", [1, 2, 3])])
def test_the_train_loss_stands_where_it_was_reached(along: str, xs: list[float]) -> None:
    assert points(RUN, along, 0) == (xs, [3.0, 2.0, 1.0])
    assert eval_points(RUN, along) == ([xs[1]], [2.5])


def test_an_evaluation_before_the_first_train_step_stands_at_the_beginning() -> None:
    assert eval_points(curves(EvalMetric(train_step=0, loss=6.0), train(1, 3.0)), "Tokens") == (
        [0.0],
        [6.0],
    )


def test_what_is_not_a_number_is_left_out() -> None:
    assert points(curves(train(1, 3.0), train(2, math.nan), train(3, 1.0)), "Train step", 0) == ([1, 3], [3.0, 1.0])


LINES = {"r-0001": ([1.0, 2.0], [3.0, 1.25]), "r-0002": ([1.0, 2.0], [3.0, 1.0]), "r-0003": ([], [])}


def test_the_finding_names_who_ends_lowest_and_where_the_others_end() -> None:
    assert finding_of(LINES, "Eval loss", "Tokens") == (
        "Eval loss along trained tokens: r-0002 ends lowest, at 1.000; r-0001 at 1.250. No curve: r-0003."
    )
    assert finding_of({"r-0003": ([], [])}, "Eval loss", "Tokens") == "Eval loss: no run has a curve yet."


def test_runs_are_told_apart_by_colour_dash_and_marker() -> None:
    lines = {f"r-{n}": ([0.0, 1.0], [2.0, 1.0]) for n in range(5)}
    traces = figure_of(lines, "Train step", log_scale=True, markers=False).data
    for told in (lambda t: t.line.color, lambda t: t.line.dash, lambda t: t.marker.symbol):
        assert len({told(trace) for trace in traces}) == 5


def test_the_page_of_charts_needs_nothing_from_outside() -> None:
    figure = figure_of(LINES, "Train step", log_scale=False, markers=False)
    page = page_of("A <b> & C", {"Train loss": figure, "Eval loss": figure})
    assert "<h1>A &lt;b&gt; &amp; C</h1>" in page
    assert "Plotly.newPlot" in page
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)


def test_the_csv_holds_every_train_record_and_every_evaluation() -> None:
    evals = [EvalMetric(train_step=step, loss=loss) for step, loss in ((0, 6.0), (1, 2.0))]
    reading = Reading(curves(evals[0], train(1, 3.0), evals[1]), None)  # type: ignore[arg-type]
    head, *lines = csv([Named("r-0001")], [reading]).splitlines()  # type: ignore[list-item]
    assert head == "run,train_step,trained_tokens,seconds,train_loss,eval_loss"
    assert lines == ["r-0001,1,100,60,3,2", "r-0001,0,,,,6"]


@pytest.mark.parametrize(
    ("value", "said"), [(2e-4, "2e-4"), (0.05, "0.05"), (None, "none"), (True, "on"), (1024, "1,024"), ("full", "full")]
)
def test_a_setting_is_said_as_in_the_form(value: object, said: str) -> None:
    assert setting_words(value) == said
