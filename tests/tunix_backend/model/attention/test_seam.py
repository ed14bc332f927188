"""Layers that get segment ids attend by segments: rows that share a row of the batch never see each other."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import cases
from tests.tunix_backend.helpers.tiny_models import CASES, VOCAB, make_batch, make_loss, make_model
from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.sections import ALL_LORA_MODULES, Attention
from tunixrt_core.manifest.training_sections import LossKind

pytestmark = pytest.mark.tunix


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    from tunixrt_core.tunix_backend.model.attention import blockwise

    monkeypatch.setattr(blockwise, "BLOCK", 5)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("name", cases(CASES, {"qwen3", "gemma2"}))
def test_another_row_changes_no_bit_of_the_losses(name: str) -> None:
    import jax.numpy as jnp
    from flax import nnx

    model = make_model(CASES[name]())
    loss = make_loss(name, LossKind.FUSED, train_head=True)

    @nnx.jit
    def each(model: Any, batch: Any) -> Any:
        targets = jnp.pad(batch.tokens[:, 1:], ((0, 0), (0, 1)))
        return loss._nll(model, batch, targets, jnp.ones(targets.shape))[1]

    batch = make_batch()
    changed = batch.tokens.copy()
    changed[0, :7] = (changed[0, :7] + 40) % VOCAB  # the first of two rows in the first row of the batch
    before, after = (np.asarray(each(model, x)) for x in (batch, batch._replace(tokens=changed)))
    assert (before[0, :6] != after[0, :6]).all()
    assert (before[0, 7:11] == after[0, 7:11]).all()
    assert (before[1] == after[1]).all()


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize(("method", "remat"), [("qlora", "block"), ("full", "decoder")])
def test_quantised_weights_and_remat_give_what_tunix_attention_gives(tmp_path: Path, method: str, remat: str) -> None:
    import jax
    from flax import nnx

    from tests.tunix_backend.conftest import make_manifest
    from tests.tunix_backend.helpers.families import write_checkpoint
    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh

    write_checkpoint(tmp_path / "model", "qwen3", num_hidden_layers=1)
    manifest = make_manifest(
        tmp_path, model=str(tmp_path / "model"), method=method, remat=remat, lora_rank=4, tile_size=8, batch_size=2
    )
    mesh = make_mesh(manifest.mesh, 1)
    with mesh:
        model = load_model(manifest, tmp_path, mesh, trains=True).model
        of = nnx.DiffState(0, nnx.Param if method == "full" else nnx.LoRAParam)
        loss = make_loss("qwen3", LossKind.FUSED, train_head=method == "full")
        graph, state = nnx.split(model)

        @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
        def both(state: Any, batch: Any) -> Any:
            losses = (replace(loss, attention=attention) for attention in Attention)
            of_model = nnx.merge(graph, state)
            return [nnx.value_and_grad(each.mean, argnums=of, has_aux=True)(of_model, batch) for each in losses]

        auto, reference = jax.tree.map(np.asarray, both(state, make_batch()))
    for one, other in zip(jax.tree.leaves(auto), jax.tree.leaves(reference), strict=True):
        np.testing.assert_allclose(one, other, atol=4e-6 * max(0.25, np.abs(other).max()), rtol=1e-5)
    assert max(float(np.abs(slope).max()) for slope in jax.tree.leaves(reference[1])) > 1e-4


def test_splash_attention_in_a_model_gives_what_blockwise_attention_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    import jax
    from flax import nnx

    from tunixrt_core.tunix_backend.model.attention import seam, splash

    model, batch = make_model(CASES["gemma2"](), ALL_LORA_MODULES), make_batch()
    loss = make_loss("gemma2", LossKind.FUSED, train_head=False)

    def run() -> list[Any]:
        step = nnx.jit(nnx.value_and_grad(loss.mean, argnums=nnx.DiffState(0, nnx.LoRAParam), has_aux=True))
        return [np.asarray(x) for x in jax.tree.leaves(step(model, batch))]

    wanted = run()
    monkeypatch.setattr(seam, "_kernel", lambda mesh: partial(splash.attend, interpret=True))
    for one, other in zip(run(), wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)


def test_a_mask_or_a_cache_gets_the_layer_of_tunix() -> None:
    """As the sampler calls it, which decodes with a cache and masks of its own."""
    import jax.numpy as jnp

    from tunixrt_core.tunix_backend.model.attention.seam import by_segments
    from tunixrt_core.tunix_backend.train.step.loss import attention_mask

    model, batch = make_model(CASES["qwen3"]()), make_batch()
    call = (batch.tokens, batch.positions)
    cache = {
        "layer_0": {
            "k": jnp.zeros((2, 12, 2, 8)),
            "v": jnp.zeros((2, 12, 2, 8)),
            "end_index": jnp.zeros((2,), jnp.int32),
        }
    }
    mask = attention_mask(batch.segments)
    block = type(model.layers[0].attn).block
    own = getattr(block, "own_block", block)
    type(model.layers[0].attn).block = own
    wanted = [model(*call, given, mask) for given in (None, cache)]
    by_segments(model)
    assert type(model.layers[0].attn).block is not own
    for given, (logits, new_cache) in zip((None, cache), wanted, strict=True):
        found, found_cache = model(*call, given, mask)
        np.testing.assert_array_equal(found, logits)
        assert (found_cache is None) == (new_cache is None)


def test_the_reference_is_the_mask_of_tunix() -> None:
    model, batch = make_model(CASES["qwen3"]()), make_batch()
    loss = make_loss("qwen3", LossKind.FUSED, train_head=True)
    assert loss.attention is Attention.AUTO
    assert loss._mask(model, batch.segments).ndim == 2
    assert replace(loss, attention=Attention.REFERENCE)._mask(model, batch.segments).ndim == 3


def test_a_family_that_is_not_known_is_refused() -> None:
    from tunixrt_core.tunix_backend.model.attention.seam import by_segments

    with pytest.raises(ModelError, match=r"Set model\.attention to reference"):
        by_segments(object())


@pytest.mark.parametrize(
    ("heads", "kv_heads", "parts", "repeats"),
    [(16, 8, 1, 1), (16, 8, 4, 1), (4, 1, 2, 2), (12, 2, 4, 2), (16, 8, 16, 2), (4, 1, 8, None), (14, 2, 4, None)],
)
def test_devices_share_heads_evenly_or_not_at_all(heads: int, kv_heads: int, parts: int, repeats: int | None) -> None:
    from tunixrt_core.tunix_backend.model.attention.seam import _repeats

    assert _repeats(heads, kv_heads, parts) == repeats
