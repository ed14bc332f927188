"""The interface of a scorer: name, version, unit, function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tunixrt_core.traces.answers.finding import Found, find_answer
from tunixrt_core.traces.rendering.parse import ParsedCompletion, parse_completion
from tunixrt_core.traces.rendering.styles import ReasoningStyle

Unit = Literal["share", "count", "tokens", "number"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The input of a scorer: a prompt, the model's output, and the reference.

    `output` is without prompt and end-of-turn token, `tokens` its length, `hit_limit` whether it was cut off at the
    maximum length. `parsed` holds the steps and the final answer that the reasoning style finds in it, `found` the
    final answer in any known form.
    """

    prompt: str
    output: str
    reference: str
    style: ReasoningStyle
    tokens: int
    hit_limit: bool
    parsed: ParsedCompletion = field(init=False)
    found: Found | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parsed", parse_completion(self.output, self.style))
        object.__setattr__(self, "found", find_answer(self.output, self.parsed.answer))


@dataclass(frozen=True, slots=True)
class Score:
    """A value with an optional label. None means no score: it is not counted in a mean."""

    value: float | None
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class ProcessKind:
    """A kind of process that can be killed: it calls `module:function` with two texts, within limits per answer."""

    target: str
    seconds: float
    megabytes: int


@dataclass(frozen=True, slots=True)
class Question:
    """A score that is computed in a separate process. `told` makes the score from the returned label, which is the
    function's, or `timeout`, `memory` or `crash`.
    """

    kind: ProcessKind
    given: str
    wanted: str
    told: Callable[[str], Score]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A named scoring rule. A new version means that the same answer may get another score.

    `unit` is the unit of the values: a `share` from 0 to 1, a `count`, `tokens`, or a `number` without a known unit.
    `higher_is_better` is None where neither is better. `about` is one line for lists and `--help`.
    """

    name: str
    version: int
    about: str
    score: Callable[[Answer], Score | Question]
    unit: Unit = "share"
    higher_is_better: bool | None = True


LOST = frozenset({"timeout", "memory", "crash"})
"""The labels for an answer whose process was killed or died: the score is unknown then."""
