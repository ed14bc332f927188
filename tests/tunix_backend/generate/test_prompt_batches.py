"""Which prompts share a batch: every prompt once, one size, three lengths at most, few padded tokens."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.tunix_backend.generate.prompt_batches import (
    MOST_LENGTHS,
    MOST_PROMPTS,
    batch_size,
    padded,
    plan_batches,
)

LENGTHS = st.lists(st.integers(1, 3000), min_size=1, max_size=300)


@given(LENGTHS)
def test_every_prompt_is_asked_once_and_fits_into_its_batch(lengths: list[int]) -> None:
    batches = plan_batches(lengths)
    assert sorted(place for batch in batches for place in batch.places) == list(range(len(lengths)))
    assert all(lengths[place] <= batch.length for batch in batches for place in batch.places)
    assert all(len(batch.filled) == batch.size for batch in batches)
    assert {batch.size for batch in batches} == {batch_size(len(lengths))}
    assert len({batch.length for batch in batches}) <= MOST_LENGTHS
    assert all(one.length >= other.length for one, other in pairwise(batches))


@given(LENGTHS)
def test_no_other_choice_of_lengths_pads_less(lengths: list[int]) -> None:
    batches = plan_batches(lengths)
    needs = [padded(max(lengths[place] for place in batch.places)) for batch in batches]
    distinct = sorted(set(needs))
    others = [c for n in range(1, MOST_LENGTHS + 1) for c in combinations(distinct, n) if c[-1] == distinct[-1]]
    best = min(sum(min(length for length in choice if length >= need) for need in needs) for choice in others)
    assert sum(batch.length for batch in batches) == best


def test_the_answers_to_one_prompt_stand_side_by_side() -> None:
    batches = plan_batches([7, 20, 7, 20, 7, 20])
    assert [batch.places for batch in batches] == [(0, 2, 4, 1, 3, 5)]


def test_batches_are_equally_full_and_the_shortest_one_is_filled_up() -> None:
    batches = plan_batches(list(range(1, 201)))
    assert [len(batch.places) for batch in batches] == [32] * 6 + [8]
    assert [len(batch.places) for batch in plan_batches([5] * 40)] == [24, 16]
    assert batches[-1].filled == tuple(range(8)) + (0,) * 24


@pytest.mark.parametrize(
    ("prompts", "size"), [(1, 1), (3, 3), (9, 16), (32, 32), (33, 24), (64, 32), (200, 32), (1000, MOST_PROMPTS)]
)
def test_the_batch_size_follows_from_the_number_of_prompts(prompts: int, size: int) -> None:
    assert batch_size(prompts) == size


@given(st.integers(1, 100_000))
def test_padding_to_a_length_of_its_own_adds_an_eighth_at_most(tokens: int) -> None:
    assert tokens <= padded(tokens) <= max(tokens * 9 / 8, tokens + 15)
    assert padded(padded(tokens)) == padded(tokens)


def test_nothing_asked_is_no_batch() -> None:
    assert plan_batches([]) == []
