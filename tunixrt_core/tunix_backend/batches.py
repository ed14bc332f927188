"""Rows to batches of fixed shape. Batch k is a pure function of (rows, seed, k): a resumed run sees the same data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from tunixrt_core.errors import TrainingError
from tunixrt_core.render import Rendered


class Encoder(Protocol):
    """What batches ask of a tokenizer."""

    def encode_prompt(self, text: str) -> list[int]: ...

    def encode_completion(self, text: str) -> list[int]: ...

    def pad_id(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One row as token ids. Only the completion is trained on."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


@dataclass(frozen=True, slots=True)
class TokenRows:
    """The rows that fit, in order, and how many did not."""

    rows: tuple[TokenRow, ...]
    dropped: int

    @property
    def tokens(self) -> int:
        return sum(len(row) for row in self.rows)

    @property
    def trained_tokens(self) -> int:
        return sum(len(row.completion) for row in self.rows)

    @property
    def longest(self) -> int:
        return max((len(row) for row in self.rows), default=0)


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """`tokens` int32 and `loss_mask` bool, both [batch, length], padded on the right."""

    tokens: Any
    loss_mask: Any

    @property
    def trained_tokens(self) -> int:
        return int(self.loss_mask.sum())


def encode_rows(
    rendered: Iterable[Rendered], encoder: Encoder, max_length: int, end: tuple[int, ...] = ()
) -> TokenRows:
    """Token ids of every row of at most `max_length` tokens; `end` closes each completion.

    Longer rows are left out and counted, never cut.
    """
    kept: list[TokenRow] = []
    dropped = 0
    for text in rendered:
        prompt, completion = encoder.encode_prompt(text.prompt), encoder.encode_completion(text.completion)
        row = TokenRow(tuple(prompt), (*completion, *end))
        if len(row) <= max_length and row.prompt and row.completion:
            kept.append(row)
        else:
            dropped += 1
    return TokenRows(tuple(kept), dropped)


def require_rows(rows: TokenRows, max_length: int) -> None:
    """Raises TrainingError where every train row was too long."""
    if not rows.rows:
        raise TrainingError(
            f"None of the {rows.dropped:,} train rows fits in max_seq_length = {max_length:,} tokens, "
            "so there is nothing to train on. Raise max_seq_length, or choose shorter traces."
        )


def row_length(longest: int, max_length: int) -> int:
    """The common length of all rows: the longest, rounded up so that near-equal data compiles to equal shapes."""
    step = 16 if longest <= 256 else 128
    return min(max_length, -(-longest // step) * step)


class TrainBatches:
    """An endless sequence of batches over shuffled epochs.

    The epochs follow each other without a gap: a batch that begins at the end of one epoch is filled from the start
    of the next, so no row is ever skipped and every batch is full.
    """

    def __init__(self, rows: Sequence[TokenRow], *, batch_size: int, length: int, seed: int, pad_id: int) -> None:
        self._rows = rows
        self._batch_size = batch_size
        self._length = length
        self._pad_id = pad_id

        @lru_cache(maxsize=2)
        def order(epoch: int) -> Any:
            # RandomState, not default_rng: its stream is frozen, so a run resumes alike under any later NumPy
            return np.random.RandomState([seed, epoch]).permutation(len(rows))

        self._order = order

    def batch(self, k: int) -> TokenBatch:
        """The k-th batch, counted from 0."""
        first = k * self._batch_size
        chosen = [self._at(i) for i in range(first, first + self._batch_size)]
        return pad_rows(chosen, self._batch_size, self._length, self._pad_id)

    @property
    def rows(self) -> int:
        """Rows of one epoch."""
        return len(self._rows)

    def trained_tokens(self, k: int, count: int) -> int:
        """Tokens that `count` batches from the k-th on are trained on."""
        first = k * self._batch_size
        return sum(len(self._at(i).completion) for i in range(first, first + count * self._batch_size))

    def _at(self, i: int) -> TokenRow:
        epoch, place = divmod(i, len(self._rows))
        return self._rows[int(self._order(epoch)[place])]


def eval_batches(rows: Sequence[TokenRow], *, batch_size: int, length: int, pad_id: int) -> Iterator[TokenBatch]:
    """All rows once, in order. The last batch is filled with rows that count for nothing, so no row is dropped."""
    for first in range(0, len(rows), batch_size):
        yield pad_rows(rows[first : first + batch_size], batch_size, length, pad_id)


def pad_rows(rows: Sequence[TokenRow], batch_size: int, length: int, pad_id: int) -> TokenBatch:
    """Rows as one batch. The first token of a row has no context and is never a target, so it is never counted."""
    tokens: Any = np.full((batch_size, length), pad_id, np.int32)
    mask: Any = np.zeros((batch_size, length), np.bool_)
    for i, row in enumerate(rows):
        tokens[i, : len(row)] = (*row.prompt, *row.completion)
        mask[i, len(row.prompt) : len(row)] = True
    return TokenBatch(tokens, mask)
