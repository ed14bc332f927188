"""Which evaluation was the best, over stops and resumes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

pytestmark = pytest.mark.tunix


def test_the_lowest_eval_loss_is_the_best_and_the_first_of_equals(tmp_path: Path) -> None:
    from tunixrt_core.tunix_backend.train.evaluating import Best

    best = Best(tmp_path / "best.json", 0)
    assert (best.train_step, best.loss, best.evaluations_since()) == (None, None, 0)
    assert [best.add(step, loss) for step, loss in ((0, 3.0), (5, 2.0), (10, 2.0), (15, 2.5))] == [
        True, True, False, False,
    ]  # fmt: skip
    assert (best.train_step, best.loss, best.evaluations_since()) == (5, 2.0, 2)


def test_a_loss_that_is_not_a_number_is_never_the_best(tmp_path: Path) -> None:
    from tunixrt_core.tunix_backend.train.evaluating import Best

    best = Best(tmp_path / "best.json", 0)
    assert not best.add(0, math.nan)
    assert best.add(5, 2.0)
    assert (best.train_step, best.evaluations_since()) == (5, 0)


def test_a_resume_forgets_what_it_will_evaluate_again(tmp_path: Path) -> None:
    from tunixrt_core.tunix_backend.train.evaluating import Best

    before = Best(tmp_path / "best.json", 0)
    for step, loss in ((0, 3.0), (4, 2.5), (8, 2.0), (12, 1.5)):
        before.add(step, loss)
    resumed = Best(tmp_path / "best.json", 8)
    assert resumed.again
    assert (resumed.train_step, resumed.loss) == (4, 2.5)
    assert not Best(tmp_path / "best.json", 9).again
