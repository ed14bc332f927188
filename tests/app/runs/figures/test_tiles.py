"""The numbers above the charts: a change is told where it can be seen."""

from __future__ import annotations

import pytest

from app.runs.figures.tiles import Tile, tiles_of
from app.ui.charts.curves import Curves
from tunixrt_core.runs.metrics import TrainMetric


@pytest.mark.parametrize(
    ("change", "told"), [(-0.2, "−0.200"), (0.0006, "+0.001"), (-0.0004, ""), (0.0, ""), (None, "")]
)
def test_a_change_that_rounds_to_nothing_is_not_told(change: float | None, told: str) -> None:
    assert Tile("Train loss", "0.001", change=change).change_words == told


def test_they_are_made_once_for_all_sessions_until_there_are_new_records() -> None:
    curves = Curves()
    curves.extend([TrainMetric(train_step=1, loss=2.5)], cursor=100)
    first = tiles_of(curves)
    assert first[0].value.startswith("2.5")
    assert tiles_of(curves) is first
    curves.extend([TrainMetric(train_step=2, loss=1.25)], cursor=200)
    assert tiles_of(curves)[0].value.startswith("1.25")
    curves.extend([TrainMetric(train_step=1, loss=3.5)], cursor=90)  # the file was cut by a resume
    assert tiles_of(curves)[0].value.startswith("3.5")
