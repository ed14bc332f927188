"""The parts of a live chart: ECharts, which is built into Streamlit and is updated in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

HEIGHT = 240


@dataclass(frozen=True, slots=True)
class View:
    """How the reader wants the curves."""

    smoothing: float = 0.6
    log_scale: bool = False
    first: int = 0  # the train step to begin with: the loss before it may be too high to see the rest


@dataclass(frozen=True, slots=True)
class Axis:
    """A value axis: its title with the unit, how the values are written, where it begins, and where it ends."""

    title: str
    value_format: str
    from_zero: bool = False
    log_scale: bool = False
    top: float | None = None  # as far as the values go otherwise


def line(
    name: str,
    xs: Sequence[int],
    ys: Sequence[float],
    picked: Sequence[int],
    *,
    color: str,
    width: float = 2,
    opacity: float = 1.0,
    dash: str = "solid",
    symbol: str = "circle",
    points: bool = False,
    axis: int = 0,
) -> dict[str, Any]:
    """A series of the picked points. `axis` 1 is the one at the right."""
    return {
        "type": "line",
        "name": name,
        "data": [[xs[i], ys[i]] for i in picked],
        "yAxisIndex": axis,
        # a curve of one point would not be seen without its symbol
        "showSymbol": points or len(picked) == 1,
        "symbol": symbol,
        "symbolSize": 7,
        "itemStyle": {"color": color, "opacity": opacity},
        "lineStyle": {"width": width, "opacity": opacity, "color": color, "type": dash},
        "emphasis": {"disabled": True},
    }


def marks(name: str, xs: Sequence[int], ys: Sequence[float], *, color: str, symbol: str, size: int) -> dict[str, Any]:
    """Single points that stand out, without a line."""
    return {
        "type": "scatter",
        "name": name,
        "data": [[x, y] for x, y in zip(xs, ys, strict=True)],
        "symbol": symbol,
        "symbolSize": size,
        "itemStyle": {"color": color},
        "z": 5,
    }


def show(
    series: list[dict[str, Any]],
    end: int,
    axis: Axis,
    *,
    key: str,
    alt: str,
    second: Axis | None = None,
    legend: bool = False,
) -> None:
    """Draw series over train steps up to `end`."""
    axes = [_value_axis(axis)]
    if second:
        axes.append({**_value_axis(second), "splitLine": {"show": False}, "position": "right"})
    spec: dict[str, Any] = {
        "animation": False,
        # labels and axis names find their own room: these are outer margins
        "grid": {"left": 6, "right": 14, "bottom": 4, "top": 30 if legend else 12},
        "tooltip": {"trigger": "axis", "valueFormatter": axis.value_format, "axisPointer": {"type": "line"}},
        "xAxis": _axis("Train step", type="value", min=0, max=end or "dataMax", splitLine={"show": False}),
        "yAxis": axes if second else axes[0],
        "series": series,
    }
    if legend:
        spec["legend"] = {"top": 0, "right": 10, "itemWidth": 16, "itemHeight": 8, "type": "scroll"}
    st.echarts_chart(spec, height=HEIGHT, key=key, alt=alt)


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
