"""A train step lasts as long as the device worked on it."""

from __future__ import annotations

import pytest

from tunixrt_core.tunix_backend.train.reporting.step_clock import StepClock


class Hand:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_a_train_step_lasts_since_the_one_before_it_and_not_while_xla_compiles(hand: Hand) -> None:
    steps = StepClock(hand)
    steps.begin()
    hand.now += 7.0
    steps.compiled(5.0)
    assert steps.take() == 2.0
    hand.now += 3.0
    steps.begin()  # of the next one, which is given to the device before this one is reported
    assert steps.take() == 3.0


def test_a_pause_ends_the_train_step_before_it_and_counts_for_none(hand: Hand) -> None:
    steps = StepClock(hand)
    steps.begin()
    hand.now += 2.0
    for _ in range(2):  # an evaluation, and the checkpoint of it
        with steps.pause(pending=lambda: True):
            hand.now += 50.0
    assert steps.take() == 2.0
    hand.now += 4.0
    assert steps.take() == 4.0


def test_after_a_pause_between_two_train_steps_the_next_one_begins_with_its_work(hand: Hand) -> None:
    steps = StepClock(hand)
    steps.begin()
    with steps.pause(pending=lambda: False):
        hand.now += 50.0
    hand.now += 1.0
    steps.begin()
    hand.now += 2.0
    assert steps.take() == 2.0
