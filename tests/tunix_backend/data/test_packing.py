"""Which rows share a row of a batch: all of them, once an epoch, tightly, and the same every time."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.tunix_backend.data.packing import (
    BatchPlan,
    BucketStream,
    RowStream,
    Stream,
    bucket_lengths,
    pack,
    packed_epoch,
    round_up,
)

LENGTHS = st.lists(st.integers(1, 64), min_size=1, max_size=80)


def rows_of(plans: list[BatchPlan]) -> list[int]:
    return [i for plan in plans for chosen in plan.bins for i in chosen]


@given(LENGTHS)
def test_packing_loses_nothing_and_overfills_nothing(lengths: list[int]) -> None:
    bins = pack(lengths, 64)
    assert sorted(i for chosen in bins for i in chosen) == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in chosen) <= 64 for chosen in bins)


@given(LENGTHS)
def test_no_two_bins_could_be_put_together(lengths: list[int]) -> None:
    fills = sorted(sum(lengths[i] for i in chosen) for chosen in pack(lengths, 64))
    assert all(a + b > 64 for a, b in itertools.pairwise(fills))


def test_bins_that_can_be_filled_to_the_last_token_are() -> None:
    assert pack([3, 5, 8, 2, 6, 4, 4], 8) == [(2,), (3, 4), (0, 1), (5, 6)]


def test_rows_like_those_of_gsm8k_leave_little_padding() -> None:
    import numpy as np

    rng = np.random.RandomState(0)  # log-normal with GSM8K's mean of 164 and 95th percentile of 270 tokens
    lengths = np.clip(np.exp(rng.normal(5.03, 0.36, 7473)), 40, 463).astype(int).tolist()
    for length, most in ((512, 0.02), (1024, 0.01)):
        bins = packed_epoch(lengths, length, seed=0, epoch=0)
        assert 1 - sum(lengths) / (len(bins) * length) < most


def test_an_epoch_is_the_same_in_every_process_and_another_one_differs() -> None:
    lengths = [3 + i * 7 % 40 for i in range(300)]
    here = packed_epoch(lengths, 64, seed=5, epoch=2)
    code = (
        "from tunixrt_core.tunix_backend.data.packing import packed_epoch;"
        "print(packed_epoch([3 + i * 7 % 40 for i in range(300)], 64, seed=5, epoch=2))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert done.stdout.strip() == str(here)
    assert packed_epoch(lengths, 64, seed=5, epoch=3) != here
    assert packed_epoch(lengths, 64, seed=6, epoch=2) != here


def packed_stream(lengths: list[int], batch_size: int = 3) -> RowStream:
    return RowStream(lambda epoch: packed_epoch(lengths, 64, 0, epoch), batch_size=batch_size, length=64)


def bucketed(lengths: list[int], batch_size: int = 3, count: int = 3) -> BucketStream:
    return BucketStream(lengths, bucket_lengths(lengths, count, 64), batch_size=batch_size, seed=0)


@given(LENGTHS, st.integers(1, 5), st.sampled_from([packed_stream, bucketed]))
def test_any_batch_can_be_had_without_those_before_it(lengths: list[int], batch_size: int, make: object) -> None:
    walked: Stream = make(lengths, batch_size)  # type: ignore[operator]
    plans = [walked.batch(k) for k in range(12)]
    for k in (11, 3, 7, 0):
        fresh: Stream = make(lengths, batch_size)  # type: ignore[operator]
        assert fresh.batch(k) == plans[k]


@given(LENGTHS, st.integers(1, 5))
def test_a_packed_stream_holds_every_row_once_an_epoch(lengths: list[int], batch_size: int) -> None:
    stream = packed_stream(lengths, batch_size)
    seen = rows_of([stream.batch(k) for k in range(stream.batches(3))])
    n = len(lengths)
    assert all(sorted(seen[n * e : n * e + n]) == list(range(n)) for e in range(3))
    assert all(len(stream.batch(k).bins) == batch_size for k in range(4))


@given(LENGTHS, st.integers(1, 5), st.integers(1, 4))
def test_buckets_hold_every_row_once_an_epoch_in_batches_that_fit(lengths: list[int], size: int, count: int) -> None:
    stream = bucketed(lengths, size, count)
    for epoch in range(2):
        per_epoch = stream.batches(1)
        plans = [stream.batch(k) for k in range(epoch * per_epoch, (epoch + 1) * per_epoch)]
        assert sorted(rows_of(plans)) == list(range(len(lengths)))
        assert all(len(plan.bins) <= size for plan in plans)
        assert all(lengths[i] <= plan.length for plan in plans for (i,) in plan.bins)
    assert set(stream.lengths) >= {plan.length for plan in plans}
    assert per_epoch == -(-len(lengths) // size)


def test_epochs_are_counted_by_what_the_batches_hold() -> None:
    stream = RowStream(lambda epoch: [(i,) for i in range(10)], batch_size=4, length=8)
    assert (stream.batches(1), stream.batches(2), stream.batches(0.4), stream.batches(0.01)) == (3, 5, 1, 1)
    assert stream.epoch(5) == pytest.approx(2.0)
    assert stream.epoch(1) == pytest.approx(0.4)


def test_buckets_are_those_that_waste_least() -> None:
    lengths = [16] * 50 + [32] * 5 + [64] * 50
    assert bucket_lengths(lengths, 1, 64) == (64,)
    assert bucket_lengths(lengths, 2, 64) == (16, 64)
    assert bucket_lengths(lengths, 8, 64) == (16, 32, 64)
    best = min(
        (sum(min(b for b in (*some, 64) if b >= n) for n in lengths), (*some, 64))
        for some in itertools.combinations((16, 32), 1)
    )
    assert bucket_lengths(lengths, 2, 64) == best[1]


@pytest.mark.parametrize(
    ("longest", "limit", "length"), [(83, 128, 96), (16, 128, 16), (100, 101, 101), (300, 999, 384)]
)
def test_near_equal_data_gets_equal_shapes(longest: int, limit: int, length: int) -> None:
    assert round_up(longest, limit) == length
