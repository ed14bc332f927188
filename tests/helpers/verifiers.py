"""The processes that compare final answers and render templates, kept for all tests of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tunixrt_core.evaluation.scorers import chosen
from tunixrt_core.evaluation.scorers.scorer import ProcessKind
from tunixrt_core.traces.answers.pool import VerifyPool
from tunixrt_core.tunix_backend.data import template_worker


class _Kept(VerifyPool):
    """One that outlives the evaluation or the template that opened it."""

    def close(self) -> None:
        pass


@contextmanager
def kept_verifiers() -> Iterator[None]:
    """While inside, all ask the same processes: each takes CPU time to start, 0.7 s for answers; none has a state."""
    pools: dict[tuple[str, float, int], _Kept] = {}

    def opened(*, target: str, seconds: float, megabytes: int, workers: int | None = None) -> VerifyPool:
        settings = (target, seconds, megabytes)
        if settings not in pools:
            pools[settings] = _Kept(target=target, workers=workers, seconds=seconds, megabytes=megabytes)
        return pools[settings]

    def of_kind(kind: ProcessKind) -> VerifyPool:
        return opened(target=kind.target, seconds=kind.seconds, megabytes=kind.megabytes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(chosen.ScorerSet.__init__.__kwdefaults__, "open_pool", of_kind)
        patch.setattr(template_worker, "VerifyPool", opened)
        yield
    for pool in pools.values():
        VerifyPool.close(pool)
