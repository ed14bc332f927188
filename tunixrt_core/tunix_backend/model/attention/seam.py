"""The seam between Tunix's attention layers and attention by segments.

`by_segments(model)` makes the model's layers accept segment ids, int [batch, length], in the place of the attention
mask, bool [batch, length, length]. Where a layer gets them and no cache, it attends by segments: on a TPU with JAX's
splash attention, elsewhere blockwise. With a mask or a cache, as a sampler calls it, it is Tunix's own layer.
"""

from __future__ import annotations

import functools
import inspect
import math
import sys
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.model.attention import blockwise
from tunixrt_core.tunix_backend.model.attention.layers import LAYERS, Layer, Projected, finish
from tunixrt_core.tunix_backend.model.entered import entered_mesh


def by_segments(model: Any) -> None:
    """Make the attention layers of this Tunix model accept segment ids as their mask. Done once per family.

    Raises ModelError for a family without a row in layers.LAYERS, whose layers would misread segment ids.
    """
    # LoRA and corrected rotary positions make subclasses of Tunix's class
    name = next((base.__module__ for base in type(model).__mro__ if base.__module__ in LAYERS), None)
    if name is None:
        raise ModelError(
            f"{type(model).__name__}: attention by segments is not known for this model. "
            "Set model.attention to reference."
        )
    module, layer = sys.modules[name], LAYERS[name]
    if not hasattr(module.Attention.block, "own_block"):
        module.Attention.block = _seam(module, layer)


def _seam(module: ModuleType, layer: Layer) -> Any:
    own = module.Attention.block
    signature = inspect.signature(own)

    @functools.wraps(own)
    def block(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = signature.bind(self, *args, **kwargs).arguments
        segments = given["attn_mask"]
        if given["cache"] is not None or segments is None or segments.ndim != 2:
            return own(self, *args, **kwargs)
        projected = layer.project(module, self, given)
        result = finish(module, self, layer, attend(projected, segments))
        return (None, result, (projected.keys, projected.values)) if layer.lends else (None, result)

    block.own_block = own  # type: ignore[attr-defined]
    return block


def attend(given: Projected, segments: Any) -> Any:
    """Values seen by each query, [batch, length, heads, dim], on the devices of the entered mesh."""
    mesh = entered_mesh()
    run = functools.partial(_kernel(mesh), window=given.window, softcap=given.softcap)
    queries, keys, values = given.queries, given.keys, given.values
    if mesh is None or mesh.size == 1:
        return run(queries, keys, values, segments)
    rows = "fsdp" if queries.shape[0] % mesh.shape["fsdp"] == 0 else None
    repeats = _repeats(queries.shape[2], keys.shape[2], mesh.shape["tp"])
    if repeats is None:
        heads = None
    else:
        heads = "tp"
        keys, values = (jnp.repeat(x, repeats, axis=2) if repeats > 1 else x for x in (keys, values))
    by_head, by_row = PartitionSpec(rows, None, heads, None), PartitionSpec(rows, None)
    # each device works on its own rows and heads: nothing is left to the partitioner
    spread = jax.shard_map(
        run, mesh=mesh, in_specs=(by_head, by_head, by_head, by_row), out_specs=by_head, check_vma=False
    )
    return spread(queries, keys, values, segments)


def _kernel(mesh: Any | None) -> Any:
    platform = jax.default_backend() if mesh is None else mesh.devices.flat[0].platform
    if platform != "tpu":
        return blockwise.attend
    from tunixrt_core.tunix_backend.model.attention import splash

    return splash.attend


def _repeats(heads: int, kv_heads: int, parts: int) -> int | None:
    """How often each key head is repeated so that `parts` devices share heads evenly; None where they cannot."""
    repeats = math.lcm(kv_heads, parts) // kv_heads
    return repeats if heads % (kv_heads * repeats) == 0 else None
