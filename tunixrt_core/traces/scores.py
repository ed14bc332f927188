"""Scores that come with a trace: what a file already says about a trace or about one of its steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.trace import Trace

ScoreKind = Literal["human", "automatic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenScore:
    """One score. `step` counts from 0, None is the whole trace; `scorer` and `version` say what gave it.

    A flag is 1.0 or 0.0. Raises InvalidTrace where the value is no finite number or the name is blank.
    """

    name: str
    value: float
    step: int | None = None
    note: str | None = None
    scorer: str
    version: str
    kind: ScoreKind = "automatic"

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise InvalidTrace(f"score {self.name}", f"{self.value} is not a finite number")
        if not self.name.strip():
            raise InvalidTrace("score", "has no name")

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, unset fields left out."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GivenScore:
        return cls(**{name: data[name] for name in cls.__slots__ if name in data})


@dataclass(frozen=True, slots=True)
class ScoredTrace:
    """A trace and the scores that its row gave. Raises InvalidTrace where a score names a step that is not there."""

    trace: Trace
    scores: tuple[GivenScore, ...] = ()

    def __post_init__(self) -> None:
        for score in self.scores:
            if score.step is not None and not 0 <= score.step < len(self.trace.steps):
                raise InvalidTrace(f"score {score.name}", f"names step {score.step}, which the trace does not have")
