"""ECharts options of a live chart, thinned to a byte limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from app.ui.charts.curves import MAX_POINTS, downsample, significant, smooth_at

HEIGHT = 240
_FEWEST = 24  # points that a curve is thinned to
_TRIES = 5
_FILLED = 0.85  # share of the byte limit: a curve below it would lose points needlessly


@dataclass(frozen=True, slots=True)
class View:
    """Display options of the curves."""

    smoothing: float = 0.6
    log_scale: bool = False
    first: int = 0  # first train step shown: the loss before it may hide the rest
    zoom: tuple[int, int] | None = None  # first and last train step of the axis; None shows all

    @property
    def left(self) -> int:
        return self.zoom[0] if self.zoom else 0

    @property
    def begin(self) -> int:
        """The first train step with a point, of a curve that hides its beginning."""
        return max(self.first, self.left)

    @property
    def last(self) -> int | None:
        return self.zoom[1] if self.zoom else None

    def span(self, end: int) -> tuple[int, int]:
        """The axis of train steps. `end` 0 means unknown."""
        return self.zoom or (0, end)


@dataclass(frozen=True, slots=True)
class Axis:
    """A value axis: title with unit, number format, start and end."""

    title: str
    value_format: str
    from_zero: bool = False
    log_scale: bool = False
    top: float | None = None  # default: the largest value


@dataclass(frozen=True, slots=True)
class Line:
    """Values at the train steps of the chart; NaN leaves a step out. `axis` 1 is the right one.

    Smoothed when drawn, by the factor of an exponential moving average.
    """

    name: str
    values: Any
    color: str
    smoothing: float = 0.0
    width: float = 2
    opacity: float = 1.0
    dash: str = "solid"
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Marks:
    """Points at train steps of their own, joined by a line or not."""

    name: str
    steps: Any
    values: Any
    color: str
    symbol: str = "diamond"
    size: int = 7
    joined: bool = True
    dash: str = "solid"
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """The content of a chart, with `alt` as text. The first `hidden` train steps enter averages only."""

    key: str
    alt: str
    span: tuple[int, int]  # the axis of train steps; an end of 0 means the last value
    axis: Axis
    steps: Any = ()
    lines: Sequence[Line] = ()
    marks: Sequence[Marks] = field(default=())
    second: Axis | None = None
    legend: bool = False
    deciding: Any = None  # values whose extremes are kept; default: those of the first line
    hidden: int = 0

    def fit(self, most_bytes: int | None, points: int = MAX_POINTS) -> tuple[dict[str, Any], int]:
        """ECharts' option with as many points as fit into the byte limit of its JSON, and their number.

        `points` is a first guess; the maximum is MAX_POINTS.
        """
        if most_bytes is None:
            return self.option(MAX_POINTS), MAX_POINTS
        for _ in range(_TRIES):
            made = self.option(points)
            size = size_of(made)
            full = points == MAX_POINTS or size > _FILLED * most_bytes
            if (size <= most_bytes and full) or points == _FEWEST:
                return made, points
            points = max(_FEWEST, min(MAX_POINTS, int(points * (1 + _FILLED) / 2 * most_bytes / size)))
        return self.option(points), points

    def option(self, points: int) -> dict[str, Any]:
        """ECharts' option with at most `points` points per curve."""
        option: dict[str, Any] = {
            "animation": False,
            # outer margins only: labels and axis names add their own room
            "grid": {"left": 6, "right": 14, "bottom": 4, "top": 30 if self.legend else 12},
            "tooltip": {"trigger": "axis", "valueFormatter": self.axis.value_format, "axisPointer": {"type": "line"}},
            "xAxis": _axis(
                "Train step", type="value", min=self.span[0], max=self.span[1] or "dataMax", splitLine={"show": False}
            ),
            "yAxis": _value_axis(self.axis),
            "color": [*(line.color for line in self.lines), *(marks.color for marks in self.marks)],
            "dataset": {"source": self._rows(points), "sourceHeader": False},
            "series": [_line(line, i + 1, len(self.steps) - self.hidden) for i, line in enumerate(self.lines)]
            + [_marks(marks, max(8, points // 6)) for marks in self.marks],
        }
        if self.second:
            right = {**_value_axis(self.second), "splitLine": {"show": False}, "position": "right"}
            option["yAxis"] = [option["yAxis"], right]
        if self.legend:
            option["legend"] = {"top": 0, "right": 10, "itemWidth": 16, "itemHeight": 8, "type": "scroll"}
        return option

    def _rows(self, points: int) -> tuple[tuple[float | None, ...], ...]:
        """One row per drawn train step: the step, and the value of every line there.

        Tuples, as Streamlit checks whether a list is a table.
        """
        if len(self.steps) <= self.hidden:
            return ()
        deciding = self.lines[0].values if self.deciding is None else self.deciding
        picked = self.hidden + downsample(np.nan_to_num(deciding[self.hidden :]), points)
        columns = [_or_none(significant(smooth_at(line.values, picked, line.smoothing))) for line in self.lines]
        return tuple(zip(self.steps[picked].tolist(), *columns, strict=True))


def size_of(option: dict[str, Any]) -> int:
    """Bytes of the option as JSON."""
    return len(orjson.dumps(option))


def _or_none(values: list[float]) -> list[float | None]:
    return [value if value == value else None for value in values]


def _line(line: Line, column: int, points: int) -> dict[str, Any]:
    look: dict[str, Any] = {"width": line.width, "opacity": line.opacity, "type": line.dash}
    made: dict[str, Any] = {
        "type": "line",
        "name": line.name,
        "encode": {"x": 0, "y": column},
        # a curve of one point is invisible without its symbol
        "showSymbol": points == 1,
        "connectNulls": True,
        "lineStyle": {name: value for name, value in look.items() if value not in (1.0, "solid") or name == "width"},
        "emphasis": {"disabled": True},
    }
    if line.opacity < 1:
        made["itemStyle"] = {"opacity": line.opacity}
    return made | ({"yAxisIndex": line.axis} if line.axis else {})


def _marks(marks: Marks, points: int) -> dict[str, Any]:
    picked = downsample(marks.values, points)
    data = zip(np.asarray(marks.steps)[picked].tolist(), significant(np.asarray(marks.values)[picked]), strict=True)
    made: dict[str, Any] = {
        "type": "line" if marks.joined else "scatter",
        "name": marks.name,
        "data": [list(pair) for pair in data],
        "symbol": marks.symbol,
        "symbolSize": marks.size,
        "emphasis": {"disabled": True},
    }
    if marks.joined:
        made["lineStyle"] = {"width": 1.5 if marks.dash == "dashed" else 2, "type": marks.dash}
    else:
        made["z"] = 5
    return made | ({"yAxisIndex": marks.axis} if marks.axis else {})


def _value_axis(axis: Axis) -> dict[str, Any]:
    made = _axis(axis.title, type="log" if axis.log_scale else "value", scale=not axis.from_zero, nameGap=44)
    ends = {"min": 0} if axis.from_zero else {}
    return {**made, **ends, **({} if axis.top is None else {"max": axis.top})}


def _axis(name: str, **options: Any) -> dict[str, Any]:
    return {
        "name": name,
        "nameLocation": "middle",
        "nameGap": 26,
        "splitNumber": 4,
        "nameTextStyle": {"fontSize": 12},
        "axisLabel": {"fontSize": 12},
        **options,
    }
