"""Gemma 4 of Tunix 0.1.7, corrected where it differs from the published models.

* Layers that borrow keys and values hold weights for their own, which nothing uses: they are taken out.
* A layer borrows from the last or the last but one layer that has its own, whatever kinds these are: here from the
  last one of its own kind.
* `layer_scalar` is a fixed number of the published model, and a trained weight in Tunix: here it is fixed.
* The names of files of the text model alone (`model.layers...`) are not found, nor are heads distinguished whose size
  equals the model's width: the loader here has names and axes of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flax import nnx
from tunix.models import safetensors_loader
from tunix.models.gemma4 import model as tunix

_Rule = tuple[str, tuple[Any, Any] | None]  # Tunix's name, and how the axes of the file's tensor become Tunix's


class Fixed(nnx.Variable[Any]):
    """A number of the model that no method trains."""


class Gemma4(tunix.Gemma4):
    """Gemma 4, text. The pattern of the config names the kind of every layer."""

    def __init__(self, config: Any, *, rngs: nnx.Rngs) -> None:
        super().__init__(config, rngs=rngs)
        own = [i for i, source in enumerate(self.kv_cache_sharing_patterns) if source == i]
        kinds = list(config.attention_pattern)
        for i, layer in enumerate(self.layers):
            layer.skip_scale = Fixed(layer.skip_scale[...])
            if i not in own:
                self.kv_cache_sharing_patterns[i] = max(j for j in own if kinds[j] == kinds[i])
                del layer.attn.kv_einsum, layer.attn._key_norm
        self.shared_layer_origins = {j for i, j in enumerate(self.kv_cache_sharing_patterns) if i != j}


def load(directory: str, config: Any, mesh: Any, dtype: Any) -> Any:
    """The model with the weights of the directory, sharded over the mesh."""
    return safetensors_loader.load_and_create_model(
        directory, Gemma4, config, _names, mesh, _stack_keys_and_values, dtype
    )


_NORMS = {
    "input_layernorm": "pre_attention_norm",
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "pre_ffw_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
    "post_per_layer_input_norm": "post_per_layer_input_norm",
    "self_attn\\.q_norm": "attn._query_norm",
    "self_attn\\.k_norm": "attn._key_norm",
}


def _names(config: Any) -> dict[str, _Rule]:
    """Tunix's name and axes for each name in the files, as a pattern."""
    layer, target = r"model\.(?:language_model\.)?layers\.([0-9]+)\.", r"layers.\1."
    per_layer = (config.num_layers, config.per_layer_input_dim)
    found: dict[str, _Rule] = {
        _outer("embed_tokens"): ("embedder.input_embedding", None),
        _outer("norm"): ("final_norm.scale", None),
        _outer("embed_tokens_per_layer"): ("embedder.per_layer_input_embedding", (None, (-1, *per_layer))),
        _outer("per_layer_model_projection"): (
            "embedder.per_layer_model_projection.w",
            ((1, 0), (-1, *per_layer)),
        ),
        _outer("per_layer_projection_norm"): ("embedder.per_layer_projection_norm.scale", None),
        f"{layer}layer_scalar$": (f"{target}skip_scale", None),
    }
    for name, norm in _NORMS.items():
        found[rf"{layer}{name}\.weight$"] = (f"{target}{norm}.scale", None)
    for name in ("gate", "up", "down"):
        found[rf"{layer}mlp\.{name}_proj\.weight$"] = (f"{target}mlp.{name}_proj.kernel", ((1, 0), None))
    for name in ("per_layer_input_gate", "per_layer_projection"):
        found[rf"{layer}{name}\.weight$"] = (f"{target}{name}.w", ((1, 0), None))
    return found | _of_heads(config)


def _of_heads(config: Any) -> dict[str, _Rule]:
    """The projections, whose heads have one size in local layers and another in those that see everything."""
    found: dict[str, _Rule] = {}
    for i, kind in enumerate(config.attention_pattern):
        size = config.head_dim if kind == tunix.AttentionType.LOCAL_SLIDING else config.global_key_size
        layer, target = rf"model\.(?:language_model\.)?layers\.{i}\.self_attn\.", f"layers.{i}.attn"
        found[rf"{layer}q_proj\.weight$"] = (f"{target}.q", (None, (config.num_heads, size, -1)))
        for name in ("k", "v"):
            found[rf"{layer}{name}_proj\.weight$"] = (f"{target}.{name}", (None, (config.num_kv_heads, size, -1)))
        found[rf"{layer}o_proj\.weight$"] = (f"{target}.attn_vec_einsum.w", ((1, 0), (config.num_heads, size, -1)))
    return found


def _outer(name: str) -> str:
    return rf"model\.(?:language_model\.)?{name}\.weight$"


def _stack_keys_and_values(tensors: dict[str, Any]) -> dict[str, Any]:
    """[heads, head_dim, dim] of queries, keys and values become [heads, dim, head_dim], the last two in one array."""
    found = {name: value for name, value in tensors.items() if not name.endswith((".attn.q", ".attn.k", ".attn.v"))}
    for name, value in tensors.items():
        if name.endswith(".attn.q"):
            found[f"{name.removesuffix('q')}q_einsum.w"] = value.transpose(0, 2, 1)
        if name.endswith(".attn.k"):
            both = (value, tensors[f"{name.removesuffix('k')}v"])
            found[f"{name.removesuffix('k')}kv_einsum.w"] = np.stack([each.transpose(0, 2, 1) for each in both])
    return found
