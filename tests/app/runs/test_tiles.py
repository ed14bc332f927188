"""The numbers above the charts: a change is told where it can be seen."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app.runs.tiles import Tile


def show(change: float | None) -> None:
    from app.runs.tiles import Tile, show_tiles

    show_tiles([Tile("Train loss", "0.001", change=change, note="best so far")])


@pytest.mark.parametrize(
    ("change", "told"), [(-0.2, "-0.200"), (0.0006, "0.001"), (-0.0004, "best so far"), (0.0, "best so far")]
)
def test_a_change_that_rounds_to_nothing_is_not_told(change: float, told: str) -> None:
    app = AppTest.from_function(show, args=(change,)).run()
    assert not app.exception
    assert app.metric[0].delta == told


def test_without_a_change_the_note_stands_there() -> None:
    assert Tile("Train loss", "0.001").change is None
    assert AppTest.from_function(show, args=(None,)).run().metric[0].delta == "best so far"
