"""Charts of one page, updated within a byte limit per tick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.ui.charts.charts import HEIGHT, Chart, size_of
from app.ui.charts.curves import MAX_POINTS

PIXELS = 400  # how wide the curves of a card are in a wide window
TICK_BYTES = 4_500  # for charts; a tick sends about as much again for the rest
_MOST_WAITING = 1_000_000


@dataclass(frozen=True, slots=True)
class Card:
    """A place on the page and its chart.

    `events` counts urgent changes: evaluations, checkpoints, answers. Of two charts that have waited equally
    long, the one with more `weight` is drawn.
    """

    place: Any
    draw: Callable[[], Chart]
    events: Callable[[], int] = lambda: 0
    weight: int = 1


@dataclass(frozen=True, slots=True)
class _Drawn:
    chart: Chart
    option: dict[str, Any]
    points: int
    size: int
    step: int
    events: int
    tick: int


class Board:
    """The charts in page order. Each script run of the page has its own board, so that it draws everything.

    Streamlit sends a chart that it has sent before as a hash. So charts take turns in a live run: at each tick the
    ones that a reader would see move, as many as fit.
    """

    def __init__(self, cards: Sequence[Card], span: tuple[int, int], *, live: bool) -> None:
        """`span` is the axis of train steps."""
        self._cards = cards
        self._span = span
        self._live = live
        self._drawn: list[_Drawn | None] = [None] * len(cards)
        self._tick = 0

    def show(self, step: int, room: int = TICK_BYTES) -> int:
        """Draw the charts that are due at a train step and fit; keep the others in place. Returns the bytes redrawn.

        The first time everything is drawn.
        """
        self._tick += 1
        step = min(step, self._span[1]) if self._span[1] else step
        left = room
        for i in self._due(step):
            before = self._drawn[i]
            if before is not None and before.size > left:
                continue  # drawn at a later tick
            drawn = self._draw(self._cards[i], step, before)
            if before is None:
                self._drawn[i] = drawn
            elif drawn.size <= left:
                self._drawn[i] = drawn
                left -= drawn.size
        for card, now in zip(self._cards, self._drawn, strict=True):
            if now is not None:
                with card.place:
                    st.echarts_chart(now.option, height=HEIGHT, key=now.chart.key, alt=now.chart.alt)
        return room - left

    def _draw(self, card: Card, step: int, before: _Drawn | None) -> _Drawn:
        chart = card.draw()
        option, points = chart.fit(TICK_BYTES if self._live else None, before.points if before else MAX_POINTS)
        return _Drawn(chart, option, points, size_of(option), step, card.events(), self._tick)

    def _due(self, step: int) -> list[int]:
        """Charts that have moved by a pixel or have an event to show, longest waiting first."""

        def moved(i: int) -> bool:
            drawn = self._drawn[i]
            return (
                drawn is None
                or drawn.events != self._cards[i].events()
                or (step - drawn.step) * PIXELS >= max(1, self._span[1] - self._span[0])
            )

        def waited(i: int) -> int:
            drawn = self._drawn[i]
            return _MOST_WAITING if drawn is None else (self._tick - drawn.tick) * self._cards[i].weight

        return sorted(filter(moved, range(len(self._cards))), key=waited, reverse=True)
