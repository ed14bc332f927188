"""Charts take turns: what has moved is drawn, what fits is sent, and nothing waits without end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from app.ui.charts import board as board_module
from app.ui.charts.board import TICK_BYTES, Board, Card
from app.ui.charts.charts import Axis, Chart, Line, size_of


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What the browser shows, by the key of the chart."""
    shown: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(board_module.st, "echarts_chart", lambda option, *, key, **_: shown.__setitem__(key, option))
    return shown


class Run:
    """Curves that grow."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.events = 0
        self.drawn: list[str] = []

    def card(self, name: str, *, weight: int = 1) -> Card:
        return Card(nullcontext(), self._draw(name), lambda: self.events, weight)

    def _draw(self, name: str) -> Callable[[], Chart]:
        def draw() -> Chart:
            self.drawn.append(name)
            steps = np.arange(1, self.step + 1)
            line = Line("Line", np.random.default_rng(0).random(self.step), "#123456")
            return Chart(name, "", (0, 1000), Axis("Loss", "%.3f"), steps, [line])

        return draw

    def drawn_in(self, action: Callable[[], object]) -> list[str]:
        self.drawn.clear()
        action()
        return list(self.drawn)


def test_the_first_time_everything_is_drawn(sent: dict[str, Any]) -> None:
    run = Run(900)
    board = Board([run.card(name) for name in "abcd"], (0, 1000), live=True)
    assert run.drawn_in(lambda: board.show(run.step)) == list("abcd")
    assert set(sent) == set("abcd")


def test_less_than_a_pixel_draws_nothing_but_every_chart_stays(sent: dict[str, Any]) -> None:
    run = Run(900)
    board = Board([run.card("a"), run.card("b")], (0, 1000), live=True)
    board.show(run.step)
    before = dict(sent)
    sent.clear()
    assert run.drawn_in(lambda: board.show(901)) == []
    assert sent == before, "they are written again as they were, or the page would lose them"


def test_an_evaluation_is_shown_although_nothing_has_moved(sent: dict[str, Any]) -> None:
    run = Run(900)
    board = Board([run.card("a")], (0, 1000), live=True)
    board.show(run.step)
    run.events += 1
    assert run.drawn_in(lambda: board.show(run.step)) == ["a"]


def test_a_tick_keeps_within_its_bytes_and_every_chart_has_its_turn(sent: dict[str, Any]) -> None:
    run = Run(700)
    names = ["loss", *"abcdef"]
    board = Board([run.card(name, weight=3 if name == "loss" else 1) for name in names], (0, 1000), live=True)
    board.show(run.step)
    turns = []
    for _ in range(12):
        run.step += 10
        before = dict(sent)
        said = board.show(run.step)
        new = [name for name in names if sent[name] != before[name]]
        assert sum(size_of(sent[name]) for name in new) == said <= TICK_BYTES
        turns += new
    assert set(turns) == set(names)
    assert turns.count("loss") > turns.count("a")


def test_the_room_of_a_tick_may_be_small(sent: dict[str, Any]) -> None:
    run = Run(700)
    board = Board([run.card("a")], (0, 1000), live=True)
    board.show(run.step)
    run.step += 10
    assert board.show(run.step, 500) == 0


def test_what_happens_outside_a_zoom_draws_nothing(sent: dict[str, Any]) -> None:
    run = Run(700)
    board = Board([run.card("a")], (100, 300), live=True)
    board.show(run.step)
    assert run.drawn_in(lambda: board.show(950)) == []


def test_a_run_that_is_over_is_drawn_with_all_points(sent: dict[str, Any]) -> None:
    run = Run(5000)
    Board([run.card("live")], (0, 5000), live=True).show(5000)
    Board([run.card("over")], (0, 5000), live=False).show(5000)
    assert size_of(sent["live"]) <= TICK_BYTES < size_of(sent["over"])
