"""What a scorer is: a plain function from one answer to one score, with a name and a version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tunixrt_core.render import ParsedCompletion, ReasoningStyle, parse_completion


@dataclass(frozen=True, slots=True)
class Answer:
    """What a scorer sees: a prompt, what the model wrote, and what would have been right."""

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
class Scorer:
    """A named rule. A new version means that the same answer may get another score."""

    name: str
    version: int
    about: str
    score: Callable[[Answer], Score]
