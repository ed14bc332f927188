"""Blockwise attention in JAX with online softmax, for all devices but a TPU.

A row is cut into blocks, and the pairs of a block of queries and a block of keys that see each other are processed one
after the other: about half of them under the causal mask, fewer with a window. The softmax over the pairs of a block
of queries is taken online (Milakov and Gimelshein 2018), and the backward pass computes the scores again from the
logarithm of each query's sum (Dao et al. 2022), so that no array of length x length exists.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

BLOCK = 256  # tokens
_UNSEEN = -0.7 * float(np.finfo(np.float32).max)  # the score of a token that is not seen; its weight is exactly 0


class _Sizes(NamedTuple):
    block: int  # tokens
    blocks: int
    groups: int  # query heads per key head
    window: int | None
    softcap: float | None

    def pairs(self) -> tuple[Any, Any]:
        """Blocks of queries and of keys that see each other, int32 [pairs] each: of each block of queries its own
        tokens first, in which every query sees itself.
        """
        found = []
        for mine in range(self.blocks):
            first = 0 if self.window is None else max(0, (mine * self.block - self.window + 1) // self.block)
            found += [(mine, other) for other in range(mine, first - 1, -1)]
        mine, other = np.array(found, np.int32).T
        return jnp.asarray(mine), jnp.asarray(other)


class _Row(NamedTuple):
    """Arrays by block: queries [blocks, batch, kv heads, groups * block, dim], keys and values [blocks, batch, kv
    heads, block, dim], segments [blocks, batch, block].
    """

    queries: Any
    keys: Any
    values: Any
    segments: Any


def attend(
    queries: Any, keys: Any, values: Any, segments: Any, *, window: int | None = None, softcap: float | None = None,
    block: int | None = None,
) -> Any:  # fmt: skip
    """Values seen by each query, [batch, length, heads, dim]; scores and softmax are float32.

    The arrays are those of layers.Projected; a query sees the tokens of its own segment, int [batch, length], up to its
    own place. Blocks have at most `block` tokens, BLOCK where it is None.
    """
    length = queries.shape[1]
    block = BLOCK if block is None else block
    blocks = -(-length // block)
    size = -(-length // blocks)
    if blocks > 1:  # matrix units work on multiples of 16
        size = min(-(-size // 16) * 16, block)
    groups = queries.shape[2] // keys.shape[2]
    sizes = _Sizes(size, -(-length // size), groups, window, softcap)
    return _attend(queries, keys, values, segments, sizes)


def _blocks(x: Any, sizes: _Sizes, fill: int = 0) -> Any:
    """[batch, length, ...] -> [blocks, batch, block, ...], filled up at the end."""
    missing = sizes.block * sizes.blocks - x.shape[1]
    x = jnp.pad(x, ((0, 0), (0, missing)) + ((0, 0),) * (x.ndim - 2), constant_values=fill)
    return jnp.moveaxis(x.reshape(x.shape[0], sizes.blocks, sizes.block, *x.shape[2:]), 1, 0)


def _query_blocks(x: Any, sizes: _Sizes) -> Any:
    """[batch, length, heads, dim] -> [blocks, batch, kv heads, groups * block, dim]."""
    x = _blocks(x, sizes)
    blocks, batch, block, heads, dim = x.shape
    x = x.reshape(blocks, batch, block, heads // sizes.groups, sizes.groups, dim)
    return x.transpose(0, 1, 3, 4, 2, 5).reshape(blocks, batch, -1, sizes.groups * block, dim)


def _from_query_blocks(x: Any, sizes: _Sizes, length: int) -> Any:
    blocks, batch, kv_heads, _, dim = x.shape
    x = x.reshape(blocks, batch, kv_heads, sizes.groups, sizes.block, dim).transpose(1, 0, 4, 2, 3, 5)
    return x.reshape(batch, blocks * sizes.block, -1, dim)[:, :length]


def _key_blocks(x: Any, sizes: _Sizes) -> Any:
    """[batch, length, kv heads, dim] -> [blocks, batch, kv heads, block, dim]."""
    return _blocks(x, sizes).transpose(0, 1, 3, 2, 4)


def _from_key_blocks(x: Any, length: int) -> Any:
    blocks, batch, kv_heads, block, dim = x.shape
    return x.transpose(1, 0, 3, 2, 4).reshape(batch, blocks * block, kv_heads, dim)[:, :length]


def _cut(queries: Any, keys: Any, values: Any, segments: Any, sizes: _Sizes) -> _Row:
    # a filled place sees itself, so that its softmax is a number
    filled = _blocks(segments, sizes, fill=-1)
    return _Row(_query_blocks(queries, sizes), _key_blocks(keys, sizes), _key_blocks(values, sizes), filled)


def _multiply(equation: str, one: Any, other: Any) -> Any:
    return jnp.einsum(equation, one, other, preferred_element_type=jnp.float32)


def _scores(row: _Row, mine: Any, other: Any, sizes: _Sizes) -> tuple[Any, Any]:
    """Scores of a pair of blocks, float32 [batch, kv heads, groups * block, block], and their slope by the score
    before the soft cap, None without one.
    """
    scores, slope = _multiply("bkqd,bksd->bkqs", row.queries[mine], row.keys[other]), None
    if sizes.softcap is not None:
        capped = jnp.tanh(scores / sizes.softcap)
        scores, slope = sizes.softcap * capped, 1 - capped**2
    places = jnp.arange(sizes.block)
    behind = (mine - other) * sizes.block + places[:, None] - places
    seen = (row.segments[mine][:, :, None] == row.segments[other][:, None, :]) & (behind >= 0)
    if sizes.window is not None:
        seen &= behind < sizes.window
    shape = (*scores.shape[:2], sizes.groups, sizes.block, sizes.block)
    return jnp.where(seen[:, None, None], scores.reshape(shape), _UNSEEN).reshape(scores.shape), slope


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def _attend(queries: Any, keys: Any, values: Any, segments: Any, sizes: _Sizes) -> Any:
    return _forward(queries, keys, values, segments, sizes)[0]


def _forward(queries: Any, keys: Any, values: Any, segments: Any, sizes: _Sizes) -> tuple[Any, Any]:
    row = _cut(queries, keys, values, segments, sizes)
    shape = row.queries.shape

    def one(carry: tuple[Any, ...], pair: tuple[Any, Any]) -> tuple[tuple[Any, ...], None]:
        (result, logs, highest, total, sums), (mine, other) = carry, pair
        scores, _ = _scores(row, mine, other, sizes)
        before = jnp.where(mine == other, _UNSEEN, highest)  # with its own block, a block of queries begins
        highest = jnp.maximum(before, scores.max(axis=-1))
        kept = jnp.where(mine == other, 0.0, jnp.exp(before - highest))
        shares = jnp.exp(scores - highest[..., None])
        total = total * kept + shares.sum(axis=-1)
        sums = sums * kept[..., None] + _multiply("bkqs,bksd->bkqd", shares.astype(values.dtype), row.values[other])
        result = result.at[mine].set((sums / total[..., None]).astype(values.dtype))
        return (result, logs.at[mine].set(highest + jnp.log(total)), highest, total, sums), None

    zeros = jnp.zeros(shape[1:-1], jnp.float32)
    start = (
        jnp.zeros(shape, values.dtype),
        jnp.zeros(shape[:-1], jnp.float32),
        zeros,
        zeros,
        jnp.zeros(shape[1:], jnp.float32),
    )
    (result, logs, *_), _ = jax.lax.scan(one, start, sizes.pairs())
    result = _from_query_blocks(result, sizes, queries.shape[1])
    return result, (queries, keys, values, segments, result, logs)


def _backward(sizes: _Sizes, kept: Any, slopes: Any) -> tuple[Any, Any, Any, Any]:
    queries, keys, values, segments, result, logs = kept
    length, dtype = queries.shape[1], queries.dtype
    row = _cut(queries, keys, values, segments, sizes)
    slopes_by_block = _query_blocks(slopes, sizes)
    # sum over the keys of share * d share, as the softmax's backward pass needs it
    shared = jnp.sum(slopes_by_block.astype(jnp.float32) * _query_blocks(result, sizes), axis=-1)

    def one(carry: tuple[Any, ...], pair: tuple[Any, Any]) -> tuple[tuple[Any, ...], None]:
        (d_queries, d_keys, d_values, sums), (mine, other) = carry, pair
        scores, cap_slope = _scores(row, mine, other, sizes)
        shares = jnp.exp(scores - logs[mine][..., None])
        slope = slopes_by_block[mine]
        d_values = d_values.at[other].add(_multiply("bkqs,bkqd->bksd", shares.astype(dtype), slope))
        d_scores = shares * (_multiply("bkqd,bksd->bkqs", slope, row.values[other]) - shared[mine][..., None])
        if cap_slope is not None:
            d_scores = d_scores * cap_slope
        d_scores = d_scores.astype(dtype)
        d_keys = d_keys.at[other].add(_multiply("bkqs,bkqd->bksd", d_scores, row.queries[mine]))
        sums = jnp.where(mine == other, 0.0, sums) + _multiply("bkqs,bksd->bkqd", d_scores, row.keys[other])
        return (d_queries.at[mine].set(sums.astype(dtype)), d_keys, d_values, sums), None

    start = (
        jnp.zeros(row.queries.shape, dtype),
        jnp.zeros(row.keys.shape, jnp.float32),
        jnp.zeros(row.values.shape, jnp.float32),
        jnp.zeros(row.queries.shape[1:], jnp.float32),
    )
    (d_queries, d_keys, d_values, _), _ = jax.lax.scan(one, start, sizes.pairs())
    return (
        _from_query_blocks(d_queries, sizes, length),
        _from_key_blocks(d_keys, length).astype(keys.dtype),
        _from_key_blocks(d_values, length).astype(values.dtype),
        np.zeros(segments.shape, jax.dtypes.float0),
    )


_attend.defvjp(_forward, _backward)
