"""JAX's splash attention, interpreted on a CPU, gives what blockwise attention gives."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tests.tunix_backend.model.attention.test_blockwise import make_inputs, whole, with_slopes

pytestmark = pytest.mark.tunix


@pytest.mark.parametrize(
    ("kv_heads", "window", "softcap"), [(2, None, None), (1, 40, None), (4, 150, 5.0)]
)  # 200 tokens are filled up to 256
def test_values_and_gradients_are_those_of_all_scores_at_once(
    kv_heads: int, window: int | None, softcap: float | None
) -> None:
    from tunixrt_core.tunix_backend.model.attention.splash import attend

    given = make_inputs(200, kv_heads)
    options = {"window": window, "softcap": softcap}
    found = with_slopes(partial(attend, interpret=True), given, **options)
    for one, other in zip(found, with_slopes(whole, given, **options), strict=True):
        np.testing.assert_allclose(one, other, atol=5e-6 * max(1, np.abs(other).max()))


@pytest.mark.parametrize(
    ("length", "block", "whole_length"),
    [
        (1, 128, 128),
        (200, 256, 256),
        (512, 512, 512),
        (1_024, 512, 1_024),
        (1_536, 512, 1_536),
        (1_664, 256, 1_792),
        (2_000, 512, 2_048),
        (8_192, 512, 8_192),
    ],
)
def test_blocks_are_large_and_fill_up_little(length: int, block: int, whole_length: int) -> None:
    from tunixrt_core.tunix_backend.model.attention.splash import block_of

    assert block_of(length) == (block, whole_length)


def test_every_length_gets_whole_blocks() -> None:
    from tunixrt_core.tunix_backend.model.attention.splash import block_of

    for length in range(1, 5_000):
        block, filled = block_of(length)
        least = -(-length // 128) * 128
        assert block % 128 == 0 == filled % block
        assert least <= filled <= least * 1.125
