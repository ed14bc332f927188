"""Micro-batches prepared ahead of the device."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import jax

from tunixrt_core.tunix_backend.data.batches import Ahead, TokenBatch, TrainBatches
from tunixrt_core.tunix_backend.train.step.loss import ModelBatch, model_batch


class MicroBatch(NamedTuple):
    """`batch` is for the device; the counts are those of the whole batch, over all processes."""

    batch: ModelBatch
    length: int
    tokens_by_part: Any  # int64 [parts]
    trained: int
    real: int  # not padding
    slots: int
    epoch: float  # epochs up to and including this batch


class Feed:
    """The micro-batches from `first` to `end` (not included), in order."""

    def __init__(self, batches: TrainBatches, *, parts: int, accumulation: int, first: int, end: int) -> None:
        self._batches = batches
        self._parts = parts
        self._accumulation = accumulation
        self._ahead = Ahead(self._prepare, first, end)
        self._waited = 0.0

    def next(self) -> MicroBatch:
        began = time.perf_counter()
        found: MicroBatch = self._ahead.get()
        self._waited += time.perf_counter() - began
        return found

    def take_waited(self) -> float:
        """Seconds that the caller of `next` has waited for batches since the last call of this method."""
        waited, self._waited = self._waited, 0.0
        return waited

    def close(self) -> None:
        self._ahead.close()

    def _prepare(self, k: int) -> MicroBatch:
        batch = self._batches.batch(k)
        first = k - k % self._accumulation
        norm = self._batches.trained_tokens(first, self._accumulation) / self._accumulation
        return MicroBatch(
            own_rows(model_batch(batch, norm)),
            length=batch.tokens.shape[1],
            tokens_by_part=batch.tokens_by_part(self._parts),
            trained=batch.trained_tokens,
            real=batch.real_tokens,
            slots=batch.tokens.size,
            epoch=self._batches.epoch(k + 1),
        )


def own_rows(batch: ModelBatch) -> ModelBatch:
    """The rows of the batch that this process feeds to its own devices; all of them where there is one process.

    Tunix joins the rows of all processes into one global batch. If each gave all rows, every row would be trained on
    once per process, at that many times the cost, and no loss would show it.
    """
    processes = jax.process_count()
    if processes == 1:
        return batch
    rows = batch.tokens.shape[0] // processes
    mine = slice(jax.process_index() * rows, (jax.process_index() + 1) * rows)
    return ModelBatch(batch.tokens[mine], batch.segments[mine], batch.positions[mine], batch.parts[mine], batch.norm)


def own_eval_rows(batch: TokenBatch) -> ModelBatch:
    return own_rows(model_batch(batch))
