"""Repetition: a share for every output, and a word where it goes round in circles."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.scorers.makers import answer_of
from tunixrt_core.evaluation.scorers.repetition import repetition
from tunixrt_core.evaluation.scorers.scorer import Score

WORDS = [f"word{i}" for i in range(500)]


def prose(words: int) -> str:
    return " ".join(random.Random(0).choices(WORDS, k=words))


def test_what_is_said_once_is_not_repeated() -> None:
    assert repetition(answer_of(prose(300))) == Score(0.0)


def test_a_loop_is_named() -> None:
    found = repetition(answer_of("so the hand is at 5 and then we turn it again. " * 40))
    assert found.verdict == "looping"
    assert found.value is not None
    assert found.value > 0.9


def test_half_a_loop_is_half() -> None:
    found = repetition(answer_of(f"{prose(100)} {prose(100)}"))
    assert found.value == pytest.approx(0.5, abs=0.03)
    assert found.verdict == "looping"


@pytest.mark.parametrize("sign", ["!", "a", "\u6211\u5011\u518d\u7b97\u4e00\u6b21"])
def test_a_loop_without_words_is_found_too(sign: str) -> None:
    found = repetition(answer_of(sign * 500))
    assert found.verdict == "looping"
    assert found.value is not None
    assert found.value > 0.9


@pytest.mark.parametrize("output", ["", "5", "one two three four five six seven"])
def test_a_short_output_repeats_nothing(output: str) -> None:
    assert repetition(answer_of(output)) == Score(0.0)


@given(st.text(max_size=600))
def test_it_is_a_share(output: str) -> None:
    value = repetition(answer_of(output)).value
    assert value is not None
    assert 0 <= value <= 1
