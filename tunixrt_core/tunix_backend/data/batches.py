"""Batches of fixed shape; batch k is a function of (rows, seed, k)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.training_sections import BatchSection
from tunixrt_core.tunix_backend.data.encoding import FIRST_TRAINED, NO_PART, TokenRow
from tunixrt_core.tunix_backend.data.packing import (
    BatchPlan,
    Bin,
    BucketStream,
    RowStream,
    Stream,
    bucket_lengths,
    pack,
    packed_epoch,
    shuffled,
)

_AHEAD = 2  # batches that are prepared before they are requested


@dataclass(frozen=True, slots=True, eq=False)
class TokenBatch:
    """Arrays int32 [batch, length], padded on the right.

    `segments` numbers the rows of the data inside a row of the batch, from 1; 0 is padding. `positions` count from 0
    in each of them. `parts` gives the part of each token (see encoding.Parts); the first token of each row has no
    context, is never a target, and so does not count.
    """

    tokens: Any
    segments: Any
    positions: Any
    parts: Any

    @property
    def trained_tokens(self) -> int:
        return int((self.parts >= FIRST_TRAINED).sum())

    @property
    def real_tokens(self) -> int:
        """Tokens that are not padding."""
        return int((self.segments > 0).sum())

    def tokens_by_part(self, parts: int) -> Any:
        """Number of tokens of each part, int64 [parts]."""
        return np.bincount(self.parts.ravel(), minlength=parts)


class TrainBatches:
    """The batches of a training run, in the order of a stream."""

    def __init__(self, rows: Sequence[TokenRow], stream: Stream, *, batch_size: int, pad_id: int) -> None:
        self._rows = rows
        self._stream = stream
        self._batch_size = batch_size
        self._pad_id = pad_id

    def batch(self, k: int) -> TokenBatch:
        """The k-th batch, counted from 0."""
        return fill(self._rows, self.plan(k), self._batch_size, self._pad_id)

    def trained_tokens(self, k: int, count: int) -> int:
        """Tokens that `count` batches from the k-th on are trained on."""
        return sum(
            self._rows[i].trained for batch in range(k, k + count) for chosen in self.plan(batch).bins for i in chosen
        )

    def plan(self, k: int) -> BatchPlan:
        """The rows of the k-th batch."""
        return self._stream.batch(k)

    def batches(self, epochs: float) -> int:
        """Number of batches in this many epochs; a partial batch counts as one."""
        return self._stream.batches(epochs)

    def epoch(self, k: int) -> float:
        """Number of epochs in the first k batches."""
        return self._stream.epoch(k)

    @property
    def lengths(self) -> tuple[int, ...]:
        return self._stream.lengths


class LongestFirst(TrainBatches):
    """The same batches, but the first one has the largest shape and the longest rows: it needs the most memory."""

    def __init__(self, other: TrainBatches) -> None:
        super().__init__(other._rows, other._stream, batch_size=other._batch_size, pad_id=other._pad_id)

    def plan(self, k: int) -> BatchPlan:
        if k:
            return super().plan(k)
        by_length = sorted(range(len(self._rows)), key=lambda i: -len(self._rows[i]))
        return BatchPlan(tuple((i,) for i in by_length[: self._batch_size]), self.lengths[-1])


def train_batches(
    rows: Sequence[TokenRow], section: BatchSection, *, max_length: int, seed: int, pad_id: int
) -> TrainBatches:
    """The stream that the manifest selects: packed, in buckets, or all of one length."""
    lengths = [len(row) for row in rows]
    stream: Stream
    if section.packing:
        stream = RowStream(
            lambda epoch: packed_epoch(lengths, max_length, seed, epoch), batch_size=section.size, length=max_length
        )
    elif len(buckets := bucket_lengths(lengths, section.length_buckets, max_length)) > 1:
        stream = BucketStream(lengths, buckets, batch_size=section.size, seed=seed)
    else:

        def one_row_each(epoch: int) -> list[Bin]:
            return [(int(i),) for i in shuffled(len(rows), seed, epoch)]

        stream = RowStream(one_row_each, batch_size=section.size, length=buckets[0])
    return TrainBatches(rows, stream, batch_size=section.size, pad_id=pad_id)


def total_train_steps(manifest: RunManifest, batches: TrainBatches) -> int:
    """Train steps of the whole run; a partial train step counts as one."""
    duration = manifest.duration
    if duration.train_steps is not None:
        return duration.train_steps
    assert duration.epochs is not None
    return max(1, -(-batches.batches(duration.epochs) // manifest.batch.gradient_accumulation))


def eval_batches(
    rows: Sequence[TokenRow], section: BatchSection, *, max_length: int, pad_id: int
) -> Iterator[TokenBatch]:
    """All rows once. The last batch of a length is filled with rows that do not count, so no row is dropped."""
    if not rows:
        return
    lengths = [len(row) for row in rows]
    if section.packing:
        groups = [(pack(lengths, max_length), max_length)]
    else:
        groups = _by_bucket(lengths, bucket_lengths(lengths, section.length_buckets, max_length))
    for bins, length in groups:
        for first in range(0, len(bins), section.size):
            yield fill(rows, BatchPlan(tuple(bins[first : first + section.size]), length), section.size, pad_id)


def _by_bucket(lengths: Sequence[int], buckets: Sequence[int]) -> list[tuple[list[Bin], int]]:
    groups: list[tuple[list[Bin], int]] = []
    shorter = 0
    for length in buckets:
        groups.append(([(i,) for i, n in enumerate(lengths) if shorter < n <= length], length))
        shorter = length
    return groups


def fill(rows: Sequence[TokenRow], plan: BatchPlan, batch_size: int, pad_id: int) -> TokenBatch:
    """The arrays of a batch plan."""
    shape = (batch_size, plan.length)
    tokens: Any = np.full(shape, pad_id, np.int32)
    segments, positions, parts = (np.zeros(shape, np.int32) for _ in range(3))
    for r, chosen in enumerate(plan.bins):
        begin = 0
        for number, i in enumerate(chosen, 1):
            row = rows[i]
            end = begin + len(row)
            tokens[r, begin:end] = row.tokens
            segments[r, begin:end] = number
            positions[r, begin:end] = np.arange(len(row))
            parts[r, begin:end] = row.parts
            parts[r, begin] = NO_PART
            begin = end
    return TokenBatch(tokens, segments, positions, parts)


class Ahead:
    """Calls `make(k)` for k = first, first + 1, … in one thread of its own, a few calls ahead of the consumer.

    Nothing else may use the data of `make` meanwhile. An error in `make(k)` is raised to the consumer of k.
    """

    def __init__(self, make: Callable[[int], Any], first: int, end: int) -> None:
        self._make = make
        self._next = first
        self._end = end
        self._waiting: deque[Future[Any]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tunixrt-batches")
        self._fill_up()

    def get(self) -> Any:
        """The next result."""
        found = self._waiting.popleft()
        self._fill_up()
        return found.result()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fill_up(self) -> None:
        while self._next < self._end and len(self._waiting) < _AHEAD:
            self._waiting.append(self._pool.submit(self._make, self._next))
            self._next += 1
