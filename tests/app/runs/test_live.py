"""What a tick shows: the tiles wait at most once, and of the log the end."""

from __future__ import annotations

from app.runs.live import TILE_BYTES, Numbers, end_of
from app.ui.charts.board import TICK_BYTES
from app.ui.charts.curves import Curves
from tunixrt_core.runs.metrics import TrainMetric


def curves(loss: float) -> Curves:
    made = Curves()
    made.extend([TrainMetric(train_step=1, loss=loss)], cursor=1)
    return made


def test_the_numbers_wait_for_one_tick_where_a_chart_needs_the_room() -> None:
    numbers = Numbers()
    assert numbers.now(curves(1.0), 0)[0].value == "1.000", "the first time they are there"
    assert numbers.now(curves(2.0), TILE_BYTES - 1)[0].value == "1.000"
    assert numbers.now(curves(3.0), TILE_BYTES - 1)[0].value == "3.000", "not twice in a row"
    assert numbers.now(curves(4.0), TICK_BYTES)[0].value == "4.000"


def test_the_end_of_a_log_begins_with_a_whole_line() -> None:
    assert end_of("short", 100) == "short"
    assert end_of("one\ntwo\nthree", 9) == "two\nthree"
    assert end_of("x" * 50, 9) == "x" * 9
    assert end_of("é" * 50, 5).encode().decode() == end_of("é" * 50, 5)
