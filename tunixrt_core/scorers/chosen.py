"""The scorers of one evaluation: chosen by name, applied to every answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.scorers.basic import BASIC
from tunixrt_core.scorers.scorer import Answer, Score, Scorer


class ScorerSet:
    """Scorers by name, all of them without names. Used as a context manager: some hold processes while they work.

    Raises InvalidEvaluation for a name that no scorer has. `exact_match` is always among them: results are counted
    and compared by it.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        known = {scorer.name: scorer for scorer in BASIC}
        if unknown := [name for name in names if name not in known]:
            raise InvalidEvaluation(f"There is no scorer {unknown[0]!r}. There are: {', '.join(known)}.")
        wanted = dict.fromkeys(("exact_match", *names)) if names else known
        self._scorers: tuple[Scorer, ...] = tuple(known[name] for name in wanted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what the scorers hold."""

    @property
    def names(self) -> tuple[str, ...]:
        """As they can be asked for again, with their settings."""
        return tuple(scorer.name for scorer in self._scorers)

    @property
    def versions(self) -> dict[str, int]:
        return {scorer.name: scorer.version for scorer in self._scorers}

    def score(self, answers: Sequence[Answer]) -> list[dict[str, Score]]:
        """A score by name for each answer, in order."""
        return [{scorer.name: scorer.score(answer) for scorer in self._scorers} for answer in answers]
