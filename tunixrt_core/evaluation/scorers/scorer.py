"""The interface of a scorer: name, version, unit, function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tunixrt_core.traces.rendering.parse import ParsedCompletion, parse_completion
from tunixrt_core.traces.rendering.styles import ReasoningStyle

Unit = Literal["share", "count", "tokens", "number"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a scorer sees: a prompt, what the model wrote, and what would have been right.

    `output` is without prompt and end-of-turn token, `tokens` its length, `hit_limit` whether it was cut off at the
    greatest length. `parsed` holds the steps and the final answer that the reasoning style finds in it.
    """

    prompt: str
    output: str
    reference: str
    style: ReasoningStyle
    tokens: int
    hit_limit: bool
    parsed: ParsedCompletion = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parsed", parse_completion(self.output, self.style))


@dataclass(frozen=True, slots=True)
class Score:
    """A value, and where it helps a word. None is a score that could not be told: it counts in no mean."""

    value: float | None
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class ProcessKind:
    """A kind of process that can be killed: it runs `module:function` of two texts, within limits for one answer."""

    target: str
    seconds: float
    megabytes: int


@dataclass(frozen=True, slots=True)
class Question:
    """A score that only a process of its own may find out. `told` makes it of the word that comes back, which is the
    function's, or `timeout`, `memory` or `crash`.
    """

    kind: ProcessKind
    given: str
    wanted: str
    told: Callable[[str], Score]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A named rule. A new version means that the same answer may get another score.

    `unit` says what values are: a `share` from 0 to 1, a `count`, `tokens`, or a `number` of which nothing is known.
    `higher_is_better` is None where neither is. `about` is one line for lists and `--help`.
    """

    name: str
    version: int
    about: str
    score: Callable[[Answer], Score | Question]
    unit: Unit = "share"
    higher_is_better: bool | None = True


LOST = frozenset({"timeout", "memory", "crash"})
"""The words for an answer whose process was killed or died: nobody knows the score then."""
