"""JAX's splash attention, the kernel of packed rows on a TPU."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_kernel as kernels
from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_mask as masks

LANES = 128  # the kernel works on multiples of it
_BLOCKS = (512, 384, 256, LANES)
_MOST_FILLED = 1 / 8  # of the row, for a larger block


def attend(
    queries: Any, keys: Any, values: Any, segments: Any, *, window: int | None = None, softcap: float | None = None,
    interpret: bool = False,
) -> Any:  # fmt: skip
    """Values seen by each query, [batch, length, heads, dim], from arrays of one device, as in blockwise.attend.

    `interpret` runs the kernel step by step on any device.
    """
    length, heads = queries.shape[1:3]
    block, whole = block_of(length)

    def filled(x: Any, value: int = 0) -> Any:
        return jnp.pad(x, ((0, 0), (0, whole - length)) + ((0, 0),) * (x.ndim - 2), constant_values=value)

    mask = _mask(whole, window)
    kernel = kernels.make_splash_mha(
        masks.MultiHeadMask([mask] * heads),
        block_sizes=_sizes(block),
        attn_logits_soft_cap=softcap,
        head_shards=1,
        q_seq_shards=1,
        interpret=interpret,
    )

    def one(queries: Any, keys: Any, values: Any, segments: Any) -> Any:
        return kernel(queries, keys, values, segment_ids=kernels.SegmentIds(segments, segments))

    heads_first = (jnp.swapaxes(filled(x), 1, 2) for x in (queries, keys, values))
    result = jax.vmap(one)(*heads_first, filled(segments, -1))
    return jnp.swapaxes(result, 1, 2)[:, :length]


def block_of(length: int) -> tuple[int, int]:
    """Tokens of a block for rows of this length, and the length that they are filled up to.

    The largest block that fills up at most an eighth more than the smallest one does: small blocks are slow.
    """
    least = -(-length // LANES) * LANES
    if least <= _BLOCKS[0]:
        return least, least
    for block in _BLOCKS:
        whole = -(-length // block) * block
        if whole <= least * (1 + _MOST_FILLED):
            return block, whole
    raise AssertionError("the last block fills up nothing more")


def _mask(length: int, window: int | None) -> Any:
    if window is None or window >= length:
        return masks.CausalMask((length, length))
    return masks.LocalMask((length, length), window_size=(window - 1, 0), offset=0)


def _sizes(block: int) -> Any:
    return kernels.BlockSizes(
        block_q=block,
        block_kv=block,
        block_kv_compute=block,
        block_q_dkv=block,
        block_kv_dkv=block,
        block_kv_dkv_compute=block,
        block_q_dq=block,
        block_kv_dq=block,
    )
