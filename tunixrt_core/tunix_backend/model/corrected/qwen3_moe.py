"""Qwen 3 MoE of Tunix 0.1.7, with experts that can be computed on every device.

Tunix has a kernel for TPUs, and takes it on GPUs too, where it cannot run; on a CPU it makes a copy of every token and
a part of the program for each expert. Here, except on a TPU, experts take their turn in one loop, each on all tokens,
and are computed again in the backward pass: memory for one expert, and a program whose size does not depend on their
number.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from tunix.models import safetensors_loader
from tunix.models.qwen3 import model as tunix
from tunix.models.qwen3 import params

from tunixrt_core.tunix_backend.model.corrected.routing import routed
from tunixrt_core.tunix_backend.model.entered import entered_mesh


class Router(nnx.Linear):
    """The scores of a layer's experts."""

    experts_per_tok: int

    def __call__(self, x: Any) -> Any:
        """[batch, length, dim] -> [batch, length, experts]."""
        return routed(super().__call__(x), self.experts_per_tok)


class Mixture(tunix.MoELayer):
    """The experts of a layer, and the router that chooses among them."""

    def __call__(self, x: Any) -> Any:
        """[batch, length, dim] -> the same."""
        mesh = entered_mesh()
        if mesh is not None and mesh.devices.flat[0].platform == "tpu":
            return super().__call__(x)
        weights = (self.gate_proj[...], self.up_proj[...], self.down_proj[...])
        shares = jnp.moveaxis(self._shares(x), -1, 0)
        total, _ = jax.lax.scan(self._add_expert(x), jnp.zeros_like(x), (*weights, shares))
        return total

    def _shares(self, x: Any) -> Any:
        """[batch, length, experts]: the share of each expert in a token's output, 0 for those not chosen."""
        scores = jax.nn.softmax(self.router(x).astype(jnp.float32), axis=-1)
        best, places = jax.lax.top_k(scores, self.experts_per_tok)
        best = (best / jnp.sum(best, axis=-1, keepdims=True)).astype(self.dtype)
        chosen = jax.nn.one_hot(places, self.num_experts, dtype=self.dtype)
        return jnp.einsum("blk,blke->ble", best, chosen)

    def _add_expert(self, x: Any) -> Any:
        @jax.checkpoint
        def said(gate: Any, up: Any, down: Any, share: Any) -> Any:
            gate, up, down = (weight.astype(self.dtype) for weight in (gate, up, down))
            hidden = jax.nn.silu(jnp.dot(x, gate)) * jnp.dot(x, up)
            return jnp.dot(hidden, down) * share[..., None]

        def add(total: Any, expert: tuple[Any, Any, Any, Any]) -> tuple[Any, None]:
            return total + said(*expert), None

        return add


class Qwen3Moe(tunix.Qwen3):
    """Qwen 3 with experts in every layer."""

    def __init__(self, config: Any, *, rngs: nnx.Rngs) -> None:
        super().__init__(config, rngs=rngs)
        for layer in self.layers:
            layer.mlp.__class__, layer.mlp.router.__class__ = Mixture, Router
            layer.mlp.router.experts_per_tok = config.num_experts_per_tok


def load(directory: str, config: Any, mesh: Any, dtype: Any) -> Any:
    """The model with the weights of the directory, sharded over the mesh."""
    return safetensors_loader.load_and_create_model(
        directory, Qwen3Moe, config, params._get_key_and_transform_mapping, mesh, params._stack_experts, dtype
    )
