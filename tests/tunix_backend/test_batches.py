"""Rows to batches."""

from __future__ import annotations

import pytest

from tunixrt_core.errors import TrainingError
from tunixrt_core.render import Rendered
from tunixrt_core.tunix_backend.batches import (
    TokenRow,
    TokenRows,
    TrainBatches,
    encode_rows,
    eval_batches,
    require_rows,
    row_length,
)

PAD = 0


class Letters:
    """An encoder with one token a letter."""

    def encode_prompt(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    encode_completion = encode_prompt

    def pad_id(self) -> int:
        return PAD


def rows(n: int) -> list[TokenRow]:
    return [TokenRow((1, 2), tuple([10 + i] * (i % 3 + 1))) for i in range(n)]


def batches(n: int, size: int, seed: int = 0) -> TrainBatches:
    return TrainBatches(rows(n), batch_size=size, length=8, seed=seed, pad_id=PAD)


def names(loader: TrainBatches, k: int) -> list[int]:
    """Which rows a batch holds, by the token of their completion."""
    return [int(row[2]) - 10 for row in loader.batch(k).tokens]


def test_rows_that_are_too_long_are_counted_and_never_cut() -> None:
    texts = [Rendered("ab", "c"), Rendered("ab", "cdef"), Rendered("abcd", "e")]
    encoded = encode_rows(texts, Letters(), 5)
    assert encoded.dropped == 1
    assert [len(row) for row in encoded.rows] == [3, 5]
    assert (encoded.tokens, encoded.trained_tokens, encoded.longest) == (8, 2, 5)


def test_a_row_that_nothing_could_be_learned_from_is_dropped() -> None:
    assert encode_rows([Rendered("ab", ""), Rendered("", "ab")], Letters(), 9).dropped == 2


def test_end_tokens_close_every_completion() -> None:
    assert encode_rows([Rendered("a", "b")], Letters(), 9, (7,)).rows[0].completion == (ord("b"), 7)


def test_nothing_left_to_train_on_is_an_error_that_says_what_to_raise() -> None:
    with pytest.raises(TrainingError, match="None of the 3 train rows fits in max_seq_length = 16"):
        require_rows(TokenRows((), 3), 16)


def test_only_the_completion_is_trained_on() -> None:
    batch = TrainBatches([TokenRow((5, 6), (7, 8))], batch_size=1, length=6, seed=0, pad_id=PAD).batch(0)
    assert batch.tokens.tolist() == [[5, 6, 7, 8, PAD, PAD]]
    assert batch.loss_mask.tolist() == [[False, False, True, True, False, False]]
    assert batch.trained_tokens == 2


def test_every_epoch_holds_every_row_once_in_another_order() -> None:
    loader = batches(6, 2)
    epochs = [[i for k in range(3 * e, 3 * e + 3) for i in names(loader, k)] for e in range(3)]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_a_batch_over_the_end_of_an_epoch_is_filled_from_the_next() -> None:
    loader = batches(5, 3)
    seen = [i for k in range(5) for i in names(loader, k)]
    assert all(sorted(seen[5 * e : 5 * e + 5]) == list(range(5)) for e in range(3))


def test_a_batch_larger_than_the_data_repeats_it() -> None:
    assert sorted(names(batches(2, 5), 0)) in ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])


def test_any_batch_can_be_had_without_those_before_it() -> None:
    before = batches(7, 3)
    for k in range(10):
        before.batch(k)
    assert names(before, 4) == names(batches(7, 3), 4)


def test_another_seed_gives_another_order() -> None:
    assert names(batches(20, 20), 0) != names(batches(20, 20, seed=1), 0)


def test_trained_tokens_are_counted_without_making_the_batches() -> None:
    loader = batches(7, 3)
    assert loader.trained_tokens(2, 2) == loader.batch(2).trained_tokens + loader.batch(3).trained_tokens
    assert loader.rows == 7


def test_eval_batches_hold_every_row_once_and_fill_up_with_rows_that_count_for_nothing() -> None:
    made = list(eval_batches(rows(5), batch_size=3, length=8, pad_id=PAD))
    assert [batch.tokens.shape for batch in made] == [(3, 8), (3, 8)]
    assert sum(batch.trained_tokens for batch in made) == sum(len(row.completion) for row in rows(5))
    assert not made[1].loss_mask[2].any()


@pytest.mark.parametrize(
    ("longest", "limit", "length"), [(83, 128, 96), (16, 128, 16), (100, 101, 101), (300, 999, 384)]
)
def test_near_equal_data_gets_equal_shapes(longest: int, limit: int, length: int) -> None:
    assert row_length(longest, limit) == length
