"""The scorers of one evaluation, applied to every answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Self

from tunixrt_core.evaluation.scorers.known import BUILT_IN, chosen_scorers
from tunixrt_core.evaluation.scorers.scorer import Answer, ProcessKind, Question, Score
from tunixrt_core.traces.answers.pool import VerifyPool

ALWAYS = ("exact_match", "flexible_match")


def open_pool(kind: ProcessKind) -> VerifyPool:
    return VerifyPool(target=kind.target, seconds=kind.seconds, megabytes=kind.megabytes)


class ScorerSet:
    """Scorers by name; without names, all built-in ones that need no setting. A context manager: some scorers use
    processes, which start with the first answer that needs one and end with the `with` block.

    Raises InvalidEvaluation for an unknown name. `exact_match` and `flexible_match` are always included: results are
    counted and compared by them, so that a gain in format is distinguished from a gain in answers.
    """

    def __init__(
        self, names: Sequence[str] = (), *, open_pool: Callable[[ProcessKind], VerifyPool] = open_pool
    ) -> None:
        self._scorers = chosen_scorers((*ALWAYS, *names) if names else tuple(BUILT_IN))
        self._open_pool = open_pool
        self._pools: dict[ProcessKind, VerifyPool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes at once."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The names that select the same scorers again, with their settings."""
        return tuple(scorer.name for scorer in self._scorers)

    @property
    def versions(self) -> dict[str, int]:
        return {scorer.name: scorer.version for scorer in self._scorers}

    def score(self, answers: Sequence[Answer]) -> list[dict[str, Score]]:
        """A score by name for each answer, in order."""
        # all questions are sent before the first result is awaited
        begun = [[(scorer.name, self._begin(scorer.score(answer))) for scorer in self._scorers] for answer in answers]
        return [{name: finish() for name, finish in one} for one in begun]

    def _begin(self, found: Score | Question) -> Callable[[], Score]:
        if isinstance(found, Score):
            return lambda: found
        word: Future[str] = self._pool(found.kind).submit(found.given, found.wanted)
        return lambda: found.told(word.result())

    def _pool(self, kind: ProcessKind) -> VerifyPool:
        if kind not in self._pools:
            self._pools[kind] = self._open_pool(kind)
        return self._pools[kind]
