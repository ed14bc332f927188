"""Experts of one pass, in another pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.tunix_backend.helpers.families import write_checkpoint
from tests.tunix_backend.model.test_models import load

pytestmark = pytest.mark.tunix


def test_a_near_tie_goes_as_the_other_pass_decided() -> None:
    import jax.numpy as jnp

    from tunixrt_core.tunix_backend.model.corrected.routing import routed, routing

    first, second = jnp.array([[1.0, 3.0, 2.001, 2.0]]), jnp.array([[1.0, 3.0, 2.0, 2.001]])
    with routing(None) as noted:
        assert np.array_equal(routed(first, 2), first)
    with routing(noted) as again:
        assert np.array_equal(routed(second, 2), [[-np.inf, 3.0, 2.0, -np.inf]])
    assert np.array_equal(again[0], second)  # its own, so that they can be compared
    assert np.array_equal(routed(second, 2), second)


def test_each_layer_uses_the_experts_that_it_is_given(tmp_path: Any, models_dir: Any) -> None:
    import jax.numpy as jnp
    from flax import nnx

    from tests.tunix_backend.conftest import make_manifest
    from tunixrt_core.tunix_backend.model.corrected.routing import routing

    write_checkpoint(tmp_path / "model", "qwen3_moe")
    model = load(make_manifest(tmp_path, model=str(tmp_path / "model")), models_dir).model

    @nnx.jit
    def said(model: Any, given: Any) -> tuple[Any, list[Any]]:
        places = jnp.arange(6)[None]
        with routing(given) as noted:
            return model(places + 5, places, None, jnp.tril(jnp.ones((1, 6, 6), bool)))[0], noted

    own, scores = said(model, None)
    assert [each.shape for each in scores] == [(1, 6, 4)] * 2
    same, _ = said(model, scores)
    np.testing.assert_allclose(same, own, atol=1e-5)
    for layer in range(2):
        others = [-each if place == layer else each for place, each in enumerate(scores)]
        assert np.abs(said(model, others)[0] - own).max() > 0.01
