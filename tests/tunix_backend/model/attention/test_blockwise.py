"""Blockwise attention gives the values and gradients of a softmax over all scores at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.tunix

ROWS, HEADS, DIM = 2, 4, 8


def make_inputs(length: int, kv_heads: int, dim: int = DIM, dtype: Any = np.float32) -> tuple[Any, ...]:
    """Queries, keys, values and segments: two rows of the data and padding, then one of all tokens."""
    import jax.numpy as jnp

    rng = np.random.RandomState(0)
    arrays = (rng.standard_normal((ROWS, length, heads, dim)) for heads in (HEADS, kv_heads, kv_heads))
    segments = np.ones((ROWS, length), np.int32)
    segments[0, length // 3 :] = 2
    segments[0, length - length // 5 :] = 0
    return *(jnp.asarray(x, dtype) for x in arrays), jnp.asarray(segments)


def whole(
    queries: Any, keys: Any, values: Any, segments: Any, *, window: int | None = None, softcap: float | None = None
) -> Any:
    """All scores at once, in float32."""
    import jax
    import jax.numpy as jnp

    places = jnp.arange(queries.shape[1])
    behind = places[:, None] - places
    seen = (segments[:, :, None] == segments[:, None, :]) & (behind >= 0)
    if window is not None:
        seen &= behind < window
    keys, values = (jnp.repeat(x, queries.shape[2] // x.shape[2], axis=2) for x in (keys, values))
    scores = jnp.einsum("bqhd,bshd->bhqs", queries, keys, preferred_element_type=jnp.float32)
    if softcap is not None:
        scores = softcap * jnp.tanh(scores / softcap)
    shares = jax.nn.softmax(jnp.where(seen[:, None], scores, -jnp.inf), axis=-1)
    return jnp.einsum("bhqs,bshd->bqhd", shares, values.astype(jnp.float32))


def with_slopes(attend: Callable[..., Any], given: tuple[Any, ...], **options: Any) -> list[Any]:
    """The values, and the gradients of a sum of them by queries, keys and values."""
    import jax
    import jax.numpy as jnp

    queries, keys, values, segments = given
    weights = np.random.RandomState(1).standard_normal(queries.shape).astype(np.float32)

    def total(queries: Any, keys: Any, values: Any) -> tuple[Any, Any]:
        found = attend(queries, keys, values, segments, **options)
        return jnp.sum(found.astype(jnp.float32) * weights), found

    (_, found), slopes = jax.jit(jax.value_and_grad(total, (0, 1, 2), has_aux=True))(queries, keys, values)
    return [np.asarray(x, np.float32) for x in (found, *slopes)]


@pytest.mark.parametrize(
    ("length", "block", "kv_heads", "window", "softcap"),
    [
        (24, 8, 2, None, None),
        (37, 8, 4, None, 3.0),  # blocks that do not divide the length
        (37, 16, 1, 5, None),  # a window inside of a block
        (70, 16, 2, 33, 2.0),  # a window over several blocks
        (7, 16, 2, 100, None),  # one block, not full; a window that reaches further than the row
    ],
)
def test_values_and_gradients_are_those_of_all_scores_at_once(
    length: int, block: int, kv_heads: int, window: int | None, softcap: float | None
) -> None:
    from tunixrt_core.tunix_backend.model.attention.blockwise import attend

    given = make_inputs(length, kv_heads)
    options = {"window": window, "softcap": softcap}
    found, wanted = with_slopes(attend, given, block=block, **options), with_slopes(whole, given, **options)
    for one, other in zip(found, wanted, strict=True):
        assert np.abs(other).max() > 0.1
        np.testing.assert_allclose(one, other, atol=3e-6)


def test_bfloat16_is_off_by_its_rounding_only() -> None:
    import jax.numpy as jnp

    from tunixrt_core.tunix_backend.model.attention.blockwise import attend

    given = make_inputs(70, 2, dtype=jnp.bfloat16)
    found = with_slopes(attend, given, block=16)
    for one, other in zip(found, with_slopes(whole, given), strict=True):
        assert np.abs(one - other).max() < 0.02 * np.abs(other).max()


def test_no_array_holds_the_scores_of_a_whole_row() -> None:
    import jax
    import jax.numpy as jnp

    from tunixrt_core.tunix_backend.model.attention.blockwise import attend

    given = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in make_inputs(2048, 2)]

    def total(*given: Any) -> Any:
        return jnp.sum(attend(*given))

    counted = jax.jit(jax.grad(total, (0, 1, 2))).lower(*given).compile().memory_analysis()
    assert counted.temp_size_in_bytes < ROWS * HEADS * 2048 * 2048 * 4 / 8
