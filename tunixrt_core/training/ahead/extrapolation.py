"""Costs of a deep model from those of two shallow ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tunixrt_core.training.ahead.costs import StepCost


def layer_counts(layers: int, local_layers: Sequence[bool] = ()) -> tuple[int, ...]:
    """The two numbers of layers to compile, or the only one where the model has no more than those.

    They hold whole periods of the pattern of layers that see only a window, so that they differ by layers of both
    kinds in the proportion of the model.
    """
    period = _period(local_layers)
    low, high = (2, 4) if period == 1 else (period, 2 * period)
    return (low, high) if layers > high else (layers,)


def extrapolate(low: StepCost, high: StepCost, low_layers: int, high_layers: int, layers: int) -> StepCost:
    """What the step costs with `layers` layers, if every further layer costs what those between the two did.

    The layers of a model are equal, so arithmetic and the weights are exact; temporary memory and traffic are not,
    because XLA places and orders more buffers differently. A step that was refused with few layers stays refused.
    """
    refused = high.refused or low.refused
    if refused:
        return replace(high, refused=refused)

    def line(a: float, b: float) -> float:
        return max(0.0, a + (b - a) * (layers - low_layers) / (high_layers - low_layers))

    def lines(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
        return {name: line(a.get(name, 0), b.get(name, 0)) for name in sorted({*a, *b})}

    whole: dict[str, Any] = {
        name: round(line(getattr(low, name), getattr(high, name)))
        for name in ("weights", "optimizer", "cache", "temporary", "passing", "kernels", "live")
    }
    return replace(
        high,
        **whole,
        flops=line(low.flops, high.flops),
        hbm=line(low.hbm, high.hbm),
        links=lines(low.links, high.links),
        looped={name: round(count) for name, count in lines(low.looped, high.looped).items()},
        seconds=low.seconds + high.seconds,
    )


def _period(pattern: Sequence[bool]) -> int:
    """The shortest period of a pattern of layers; 1 where all are equal."""
    return next((n for n in range(1, len(pattern)) if list(pattern[n:]) == list(pattern[:-n])), 1)
