"""Scores of a trace or one of its steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.trace import Trace

ScoreKind = Literal["human", "automatic"]

# Names of scores that say whether a whole trace is to be learned from; a value of 0 or less says no.
PREFERRED = "preferred"  # 1 on the chosen and 0 on the rejected side of a pair
VERDICTS = ("correct", "label", PREFERRED, "weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenScore:
    """One score. `step` counts from 0, None is the whole trace; `scorer` and `version` say what gave it.

    A flag is 1.0 or 0.0. `against` is the hash of the trace that this one was compared with: the other side of a pair.
    Raises InvalidTrace where the value is no finite number or the name is blank.
    """

    name: str
    value: float
    step: int | None = None
    note: str | None = None
    scorer: str
    version: str
    kind: ScoreKind = "automatic"
    against: str | None = None

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
    """A trace and the scores of its row. Raises InvalidTrace where a score names a step that does not exist."""

    trace: Trace
    scores: tuple[GivenScore, ...] = ()

    def __post_init__(self) -> None:
        for score in self.scores:
            if score.step is not None and not 0 <= score.step < len(self.trace.steps):
                raise InvalidTrace(f"score {score.name}", f"names step {score.step}, which the trace does not have")


def is_negative(scores: Iterable[GivenScore]) -> bool:
    """Whether the scores of a trace call it a negative example: wrong, unwanted, or rejected in a pair.

    Human scores of a name count before the automatic ones. Rejected once is rejected; of the other verdicts, one that
    speaks for the trace outweighs those that speak against it. The store decides the same in SQL.
    """
    found: dict[str, list[GivenScore]] = {}
    for score in scores:
        if score.step is None and score.name in VERDICTS:
            found.setdefault(score.name, []).append(score)
    for name, given in found.items():
        values = [score.value for score in given if score.kind == "human"] or [score.value for score in given]
        if (min(values) if name == PREFERRED else max(values)) <= 0:
            return True
    return False


def scores_in(metadata: Mapping[str, Any]) -> tuple[GivenScore, ...]:
    """The scores in the metadata of an exported row. Raises InvalidTrace where they are none."""
    scores = metadata.get("scores", [])
    try:
        return tuple(GivenScore.from_dict(score) for score in scores)
    except (TypeError, KeyError, AttributeError):
        raise InvalidTrace("metadata.scores", "must be a list of scores with name, value, scorer and version") from None
