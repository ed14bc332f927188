"""Curves of runs over one axis: train steps, tokens or time."""

from __future__ import annotations

import math
from typing import Any

import pytest

from app.compare_views import eval_points, points
from app.curves import Curves


def curves(*records: dict[str, Any]) -> Curves:
    made = Curves()
    made.extend(records, cursor=1)
    return made


def train(step: int, loss: float) -> dict[str, Any]:
    return {"kind": "train", "train_step": step, "loss": loss, "trained_tokens": 100, "time": 60.0 * step}


RUN = curves(train(1, 3.0), train(2, 2.0), {"kind": "eval", "train_step": 2, "loss": 2.5}, train(3, 1.0))


@pytest.mark.parametrize(("along", "xs"), [("Train step", [1, 2, 3]), ("Tokens", [100, 200, 300]), ("Time", [1, 2, 3])])
def test_the_train_loss_stands_where_it_was_reached(along: str, xs: list[float]) -> None:
    assert points(RUN, along, 0) == (xs, [3.0, 2.0, 1.0])
    assert eval_points(RUN, along) == ([xs[1]], [2.5])


def test_an_evaluation_before_the_first_train_step_stands_at_the_beginning() -> None:
    assert eval_points(curves({"kind": "eval", "train_step": 0, "loss": 6.0}, train(1, 3.0)), "Tokens") == (
        [0.0],
        [6.0],
    )


def test_what_is_not_a_number_is_left_out() -> None:
    assert points(curves(train(1, 3.0), train(2, math.nan), train(3, 1.0)), "Train step", 0) == ([1, 3], [3.0, 1.0])
