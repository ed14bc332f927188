"""Live charts of a run: ECharts, which is built into Streamlit and is updated in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.blocks import BLUE, RUST
from app.curves import Curves, downsample, scale_of, smooth, superscript
from app.words import decimals

HEIGHT = 240


@dataclass(frozen=True, slots=True)
class View:
    """How the reader wants the curves."""

    smoothing: float = 0.6
    log_scale: bool = False
    first: int = 0  # the train step to begin with: the loss before it may be too high to see the rest


def loss_chart(curves: Curves, end: int, view: View) -> None:
    """Train loss, raw and smoothed, and eval loss."""
    steps, losses = curves.train.series("loss", view.first)
    picked = downsample(losses)
    series = []
    if view.smoothing > 0:
        average = smooth(losses, view.smoothing)
        series.append(_line("Train, raw", steps, losses, picked, color=BLUE, width=1, opacity=0.3))
        series.append(_line("Train, smoothed", steps, average, picked, color=BLUE))
    else:
        series.append(_line("Train", steps, losses, picked, color=BLUE, width=1.5))
    eval_steps, eval_losses = curves.evals.series("loss", view.first)
    if eval_steps:
        kept = downsample(eval_losses)
        series.append(_line("Eval", eval_steps, eval_losses, kept, color=RUST, symbol="diamond", points=True))
    alt = f"Train loss {decimals(losses[-1] if losses else None)}, eval loss {decimals(curves.evals.last('loss'))}."
    _show(
        series,
        end,
        y_title="Cross-entropy (nats/token)",
        key="chart-loss",
        alt=alt,
        value_format="%.3f",
        log_scale=view.log_scale,
        legend=True,
    )


def learning_rate_chart(curves: Curves, end: int) -> None:
    """The rate as it was used, scaled so that the axis shows plain numbers."""
    steps, rates = curves.train.series("learning_rate")
    power = scale_of(rates)
    scaled = [value / 10**power for value in rates]
    unit = f" (×10{superscript(power)})" if power else ""
    alt = f"The learning rate is {scaled[-1]:.3f}{unit}." if scaled else "No learning rate yet."
    _show(
        [_line("Learning rate", steps, scaled, downsample(scaled), color=BLUE)],
        end,
        y_title=f"Learning rate{unit}",
        key="chart-rate",
        alt=alt,
        value_format="%.3f",
        from_zero=True,
    )


def gradient_chart(curves: Curves, end: int, view: View) -> None:
    steps, norms = curves.train.series("grad_norm", view.first)
    alt = f"The gradient norm is {norms[-1]:.2f}, at most {max(norms):.2f}." if norms else "No gradient norm yet."
    _show(
        [_line("Gradient norm", steps, norms, downsample(norms), color=BLUE, width=1.5)],
        end,
        y_title="L2 norm before clipping",
        key="chart-gradient",
        alt=alt,
        value_format="%.2f",
        log_scale=view.log_scale,
    )


def throughput_chart(curves: Curves, end: int) -> None:
    steps, speeds = curves.train.series("tokens_per_second")
    alt = f"{speeds[-1]:,.0f} trained tokens per second." if speeds else "No throughput yet."
    _show(
        [_line("Tokens/s", steps, speeds, downsample(speeds), color=BLUE, width=1.5)],
        end,
        y_title="Trained tokens/s",
        key="chart-throughput",
        alt=alt,
        value_format="localized",
        from_zero=True,
    )


def _line(
    name: str,
    xs: Sequence[int],
    ys: Sequence[float],
    picked: Sequence[int],
    *,
    color: str,
    width: float = 2,
    opacity: float = 1.0,
    symbol: str = "circle",
    points: bool = False,
) -> dict[str, Any]:
    return {
        "type": "line",
        "name": name,
        "data": [[xs[i], ys[i]] for i in picked],
        # a curve of one point would not be seen without its symbol
        "showSymbol": points or len(picked) == 1,
        "symbol": symbol,
        "symbolSize": 7,
        "itemStyle": {"color": color, "opacity": opacity},
        "lineStyle": {"width": width, "opacity": opacity, "color": color},
        "emphasis": {"disabled": True},
    }


def _show(
    series: list[dict[str, Any]],
    end: int,
    *,
    y_title: str,
    key: str,
    alt: str,
    value_format: str,
    log_scale: bool = False,
    from_zero: bool = False,
    legend: bool = False,
) -> None:
    y_axis = _axis(y_title, type="log" if log_scale else "value", scale=not from_zero, nameGap=44)
    if from_zero:
        y_axis["min"] = 0
    spec: dict[str, Any] = {
        "animation": False,
        # labels and axis names find their own room: these are outer margins
        "grid": {"left": 6, "right": 14, "bottom": 4, "top": 30 if legend else 12},
        "tooltip": {"trigger": "axis", "valueFormatter": value_format, "axisPointer": {"type": "line"}},
        "xAxis": _axis(
            "Train step",
            type="value",
            min=0,
            max=end or "dataMax",
            splitLine={"show": False},
        ),
        "yAxis": y_axis,
        "series": series,
    }
    if legend:
        spec["legend"] = {"top": 0, "right": 10, "itemWidth": 16, "itemHeight": 8}
    st.echarts_chart(spec, height=HEIGHT, key=key, alt=alt)


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
