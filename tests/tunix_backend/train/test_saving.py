"""Which checkpoints are kept."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.tunix


@pytest.mark.parametrize(("best", "kept"), [(None, [30, 40]), (10, [10, 30, 40]), (40, [30, 40]), (99, [30, 40])])
def test_the_last_ones_and_the_best_are_kept(best: int | None, kept: list[int]) -> None:
    from tunixrt_core.tunix_backend.train.saving import KeepLatestAndBest

    there = [SimpleNamespace(step=step) for step in (10, 20, 30, 40)]
    decided = KeepLatestAndBest(2, lambda: best).should_preserve(there, context=None)
    assert [info.step for info, keep in zip(there, decided, strict=True) if keep] == kept
