"""The numbers above the charts: a change is told where it can be seen."""

from __future__ import annotations

import pytest

from app.runs.figures.tiles import Tile


@pytest.mark.parametrize(
    ("change", "told"), [(-0.2, "−0.200"), (0.0006, "+0.001"), (-0.0004, ""), (0.0, ""), (None, "")]
)
def test_a_change_that_rounds_to_nothing_is_not_told(change: float | None, told: str) -> None:
    assert Tile("Train loss", "0.001", change=change).change_words == told
