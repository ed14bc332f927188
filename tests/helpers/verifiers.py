"""The processes that compare final answers, kept for all tests of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tunixrt_core.evaluation.scorers import chosen
from tunixrt_core.evaluation.scorers.scorer import ProcessKind
from tunixrt_core.traces.answers.pool import VerifyPool


class _Kept(VerifyPool):
    """One that outlives the evaluation that opened it."""

    def close(self) -> None:
        pass


@contextmanager
def kept_verifiers() -> Iterator[None]:
    """While inside, evaluations ask the same processes: each takes 0.7 s of CPU time to start, and none has a state."""
    pools: dict[ProcessKind, _Kept] = {}

    def open_pool(kind: ProcessKind) -> VerifyPool:
        if kind not in pools:
            pools[kind] = _Kept(target=kind.target, seconds=kind.seconds, megabytes=kind.megabytes)
        return pools[kind]

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(chosen.ScorerSet.__init__.__kwdefaults__, "open_pool", open_pool)
        yield
    for pool in pools.values():
        VerifyPool.close(pool)
