"""Rows to arrays."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from tunixrt_core.manifest.training_sections import BatchSection
from tunixrt_core.tunix_backend.data.batches import (
    Ahead,
    LongestFirst,
    TokenBatch,
    TrainBatches,
    eval_batches,
    fill,
    train_batches,
)
from tunixrt_core.tunix_backend.data.encoding import ANSWER_PART, FORMAT_PART, NO_PART, PROMPT_PART, TokenRow
from tunixrt_core.tunix_backend.data.packing import BatchPlan

PAD = 0


def row(name: int, prompt: int = 2, trained: int = 2) -> TokenRow:
    """Prompt tokens are 1, the others `name`."""
    parts = [PROMPT_PART] * prompt + [FORMAT_PART] * (trained - 1) + [ANSWER_PART]
    return TokenRow(np.array([1] * prompt + [name] * trained, np.int32), np.array(parts, np.uint16), prompt, name)


def rows(n: int) -> list[TokenRow]:
    return [row(10 + i, trained=i % 3 + 1) for i in range(n)]


def batches(n: int, size: int, seed: int = 0, **section: Any) -> TrainBatches:
    return train_batches(rows(n), BatchSection(size=size, **section), max_length=8, seed=seed, pad_id=PAD)


def names(batch: TokenBatch) -> list[int]:
    """Which rows a batch holds, in order."""
    return [int(i) - 10 for r in batch.tokens for i in dict.fromkeys(r.tolist()) if i >= 10]


def test_a_batch_is_filled_up_on_the_right() -> None:
    batch = fill([row(5), row(6, prompt=1, trained=1)], BatchPlan(((0,), (1,)), 6), 2, PAD)
    assert batch.tokens.tolist() == [[1, 1, 5, 5, PAD, PAD], [1, 6, PAD, PAD, PAD, PAD]]
    assert batch.segments.tolist() == [[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 0, 0], [0, 1, 0, 0, 0, 0]]
    assert (batch.trained_tokens, batch.real_tokens) == (3, 6)


def test_rows_that_share_a_row_keep_apart() -> None:
    batch = fill([row(5), row(6, prompt=1, trained=1)], BatchPlan(((0, 1),), 8), 1, PAD)
    assert batch.tokens.tolist() == [[1, 1, 5, 5, 1, 6, PAD, PAD]]
    assert batch.segments.tolist() == [[1, 1, 1, 1, 2, 2, 0, 0]]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 0, 1, 0, 0]]
    # the first token of each row has nothing before it that could foretell it
    assert batch.parts.tolist() == [
        [NO_PART, PROMPT_PART, FORMAT_PART, ANSWER_PART, NO_PART, ANSWER_PART, NO_PART, NO_PART]
    ]
    assert batch.tokens_by_part(4).tolist() == [4, 1, 1, 2]


@pytest.mark.parametrize("section", [{}, {"packing": True}, {"length_buckets": 3}])
def test_every_epoch_holds_every_row_once_in_another_order(section: dict[str, Any]) -> None:
    loader = batches(6, 2, **section)
    k, orders = 0, []
    for _ in range(3):
        seen: list[int] = []
        while len(seen) < 6:
            seen += names(loader.batch(k))
            k += 1
        orders.append(tuple(seen[:6]))
        if len(seen) > 6:  # a batch over the end of an epoch: start the count again
            break
    assert all(sorted(order) == list(range(6)) for order in orders)


def test_a_batch_over_the_end_of_an_epoch_is_filled_from_the_next() -> None:
    loader = batches(5, 3)
    seen = [i for k in range(5) for i in names(loader.batch(k))]
    assert all(sorted(seen[5 * e : 5 * e + 5]) == list(range(5)) for e in range(3))


def test_a_batch_larger_than_the_data_repeats_it() -> None:
    assert sorted(names(batches(2, 5).batch(0))) in ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])


def test_another_seed_gives_another_order() -> None:
    assert names(batches(20, 20).batch(0)) != names(batches(20, 20, seed=1).batch(0))


@pytest.mark.parametrize("section", [{}, {"packing": True}, {"length_buckets": 3}])
def test_trained_tokens_are_counted_without_making_the_batches(section: dict[str, Any]) -> None:
    loader = batches(7, 3, **section)
    assert loader.trained_tokens(2, 2) == loader.batch(2).trained_tokens + loader.batch(3).trained_tokens


def test_packed_batches_are_full_of_rows() -> None:
    one, many = batches(30, 3), batches(30, 3, packing=True)
    assert many.batches(1) < one.batches(1)
    assert many.batch(0).real_tokens > one.batch(0).real_tokens


@pytest.mark.parametrize("section", [{}, {"packing": True}, {"length_buckets": 3}])
def test_eval_batches_hold_every_row_once_and_fill_up_with_rows_that_count_for_nothing(section: dict[str, Any]) -> None:
    made = list(eval_batches(rows(5), BatchSection(size=3, **section), max_length=16, pad_id=PAD))
    assert sorted(i for batch in made for i in names(batch)) == list(range(5))
    assert sum(batch.trained_tokens for batch in made) == sum(row.trained for row in rows(5))
    assert all(len(batch.tokens) == 3 for batch in made)


def test_no_eval_rows_make_no_batches() -> None:
    assert list(eval_batches([], BatchSection(size=3), max_length=16, pad_id=PAD)) == []


def test_the_longest_batch_is_of_the_largest_shape_and_holds_the_longest_rows() -> None:
    loader = train_batches(
        [row(10 + i, trained=i + 1) for i in range(20)], BatchSection(size=2, length_buckets=3), max_length=64, seed=0,
        pad_id=PAD,
    )  # fmt: skip
    first = LongestFirst(loader)
    assert names(first.batch(0)) == [19, 18]
    assert first.batch(0).tokens.shape == (2, loader.lengths[-1])
    assert first.trained_tokens(0, 1) == first.batch(0).trained_tokens == 39
    assert names(first.batch(1)) == names(loader.batch(1))


def test_what_is_prepared_ahead_comes_in_order_and_ends() -> None:
    threads = set()

    def make(k: int) -> int:
        threads.add(threading.get_ident())
        return k * k

    ahead = Ahead(make, 3, 7)
    assert [ahead.get() for _ in range(4)] == [9, 16, 25, 36]
    ahead.close()
    assert threading.get_ident() not in threads


def test_an_error_while_preparing_is_raised_to_who_asks_for_it() -> None:
    ahead = Ahead(lambda k: 1 // (2 - k), 1, 4)
    assert ahead.get() == 1
    with pytest.raises(ZeroDivisionError):
        ahead.get()
    ahead.close()
