"""Trained weights by Hugging Face names and shapes.

Weights that QLoRA has quantised come out dequantised: LoRA was trained with these values, so the merged model matches
the trained one. With the original weights, LoRA would correct for a quantisation error that does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tunixrt_core.errors import ExportError
from tunixrt_core.tunix_backend.model.files.headers import text_name

_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)")
_EXPERT = re.compile(r"mlp\.experts\.(\d+)\.(gate|up|down)_proj")

# Tunix names by Hugging Face name: the first one is that of Qwen and Llama, the others are those of Gemma.
_OUTER = {
    "model.embed_tokens.weight": ("embedder.input_embedding",),
    "model.norm.weight": ("final_norm.w", "final_norm.scale"),
    "lm_head.weight": ("lm_head.w",),
    "model.embed_tokens_per_layer.weight": ("embedder.per_layer_input_embedding",),
    "model.per_layer_model_projection.weight": ("embedder.per_layer_model_projection.w",),
    "model.per_layer_projection_norm.weight": ("embedder.per_layer_projection_norm.scale",),
}
_OF_LAYER = {
    "input_layernorm": ("input_layernorm.w", "pre_attention_norm.scale"),
    # Gemma 2 and Gemma 3 have two names for it
    "post_attention_layernorm": ("post_attention_layernorm.w", "post_attention_norm.scale", "post_attn_norm.scale"),
    "self_attn.q_norm": ("attn.q_norm.w", "attn._query_norm.scale"),
    "self_attn.k_norm": ("attn.k_norm.w", "attn._key_norm.scale"),
    "pre_feedforward_layernorm": ("pre_ffw_norm.scale",),
    "post_feedforward_layernorm": ("post_ffw_norm.scale",),
    "self_attn.q_proj": ("attn.q_proj.w", "attn.q_einsum.w", "attn.qkv_einsum.w"),
    "self_attn.k_proj": ("attn.k_proj.w", "attn.kv_einsum.w", "attn.qkv_einsum.w"),
    "self_attn.v_proj": ("attn.v_proj.w", "attn.kv_einsum.w", "attn.qkv_einsum.w"),
    "self_attn.o_proj": ("attn.o_proj.w", "attn.attn_vec_einsum.w"),
    **{f"mlp.{name}_proj": (f"mlp.{name}_proj.kernel",) for name in ("gate", "up", "down")},
    "mlp.gate": ("mlp.router.kernel",),
    "per_layer_input_gate": ("per_layer_input_gate.w",),
    "per_layer_projection": ("per_layer_projection.w",),
    "post_per_layer_input_norm": ("post_per_layer_input_norm.scale",),
}
# Gemma stacks projections: the place of each in the stack.
_STACKED = {
    ("kv_einsum", "k_proj"): 0,
    ("kv_einsum", "v_proj"): 1,
    ("qkv_einsum", "q_proj"): 0,
    ("qkv_einsum", "k_proj"): 1,
    ("qkv_einsum", "v_proj"): 2,
}
# A LoRA product has the input axis first; the stacked weights have it elsewhere.
_DELTA_ORDER = {"q_einsum": (1, 0, 2), "kv_einsum": (1, 2, 0, 3), "qkv_einsum": (1, 2, 0, 3)}


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of a tensor in Tunix: the weight's path, and its place in a stacked weight (None: not stacked)."""

    path: str
    index: int | None

    @property
    def module(self) -> str:
        *_, holder, last = self.path.split(".")
        return last if last.endswith("_proj") else holder  # experts hold their weights themselves


class LoraFactors(NamedTuple):
    """The LoRA product of a linear map without its scale: `b @ a`, in the type that it was trained in."""

    a: Any  # [rank, inputs]
    b: Any  # [outputs, rank]


class TrainedWeights:
    """The weights of a model of any family, by Hugging Face name. `lora_scale` is alpha / rank, unused without LoRA."""

    def __init__(self, model: Any, lora_scale: float) -> None:
        import jax
        from flax import nnx

        leaves = jax.tree_util.tree_leaves_with_path(nnx.state(model, nnx.Param).to_pure_dict())
        self._leaves = {".".join(str(getattr(key, "key", key)) for key in path): value for path, value in leaves}
        for path, value in _quantized(model):
            self._leaves[path] = value
            del self._leaves[f"{path}.array.qvalue"], self._leaves[f"{path}.array.scale"]
        self._scale = lora_scale
        self._unread = set(self._leaves)

    def unread(self) -> list[str]:
        """Weights of the model that no tensor has used yet, by their Tunix names."""
        return sorted(self._unread)

    def unread_lora(self) -> list[str]:
        """The unused weights that LoRA has trained."""
        return [path for path in self.unread() if path.endswith(("_lora_a", "_lora_b"))]

    def tensor(self, name: str) -> Any:
        """The float32 array of a tensor, in Hugging Face's orientation; None where the model has no such tensor.

        An output head that the model ties to its embedding is the embedding.
        """
        place = self._place(name)
        if place is None:
            return self.tensor("model.embed_tokens.weight") if name.endswith("lm_head.weight") else None
        if place.index is not None and f"{place.path}_lora_a" not in self._leaves:
            return _oriented(self._read_float(place.path, place.index), place.module)
        weight = self._merged(place.path)
        return _oriented(weight if place.index is None else weight[place.index], place.module)

    def lora(self, name: str) -> LoraFactors | None:
        """The LoRA product of a tensor; None for a tensor without LoRA.

        Projections that Tunix stacks share their `a`: each gets its own part of `b`.
        """
        place = self._place(name)
        if place is None or f"{place.path}_lora_a" not in self._leaves:
            return None
        a, b = self._read(f"{place.path}_lora_a"), self._read(f"{place.path}_lora_b")  # [*inputs, rank], [rank, *out]
        rank = len(b)
        part = b if place.index is None else b[:, place.index]
        return LoraFactors(a.reshape(-1, rank).T, part.reshape(rank, -1).T)

    def _place(self, name: str) -> _Place | None:
        name = text_name(name)
        if (paths := _OUTER.get(name)) is None:
            found = _LAYER.fullmatch(name)
            if found and (expert := _EXPERT.fullmatch(found[2])):
                return _Place(f"layers.{found[1]}.mlp.{expert[2]}_proj", int(expert[1]))
            paths = (
                () if found is None else tuple(f"layers.{found[1]}.{path}" for path in _in_layer(found[2], found[3]))
            )
        path = next((path for path in paths if path in self._leaves), None)
        if path is None:
            return None
        stack, projection = (*path.split(".")[-2:-1], *name.split(".")[-2:-1])
        return _Place(path, _STACKED.get((stack, projection)))

    def _merged(self, path: str) -> Any:
        """A weight in Tunix's layout, with its LoRA product added, in float32."""
        weight = self._read_float(path)
        if f"{path}_lora_a" not in self._leaves:
            return weight
        # qwix: out = in @ weight + in @ a @ b * alpha / rank
        a, b = self._read_float(f"{path}_lora_a"), self._read_float(f"{path}_lora_b")
        delta = np.tensordot(a, b, 1) * self._scale
        delta = delta.transpose(_DELTA_ORDER.get(path.split(".")[-2], range(delta.ndim)))
        if delta.shape != weight.shape:
            raise ExportError(
                f"LoRA on {path} has the shape {delta.shape}, the weight {weight.shape}: it cannot be merged. "
                "Train with another lora.modules."
            )
        return weight + delta

    def _read_float(self, path: str, index: int | None = None) -> Any:
        return self._read(path, index).astype(np.float32)

    def _read(self, path: str, index: int | None = None) -> Any:
        """A weight, or one part of a stack, of which the other parts stay on the device."""
        from tunixrt_core.tunix_backend.model.lora.quantized import dequantize, is_quantized

        self._unread.discard(path)
        value = self._leaves[path]
        value = dequantize(value) if is_quantized(value) else value
        return np.asarray(value if index is None else value[index])


def _in_layer(module: str, kind: str) -> tuple[str, ...]:
    """The paths in a layer of what Hugging Face calls `module.kind`."""
    if kind == "weight":
        return _OF_LAYER.get(module, ())
    return (f"attn.{module.removeprefix('self_attn.').removesuffix('_proj')}_bias",)


def _oriented(weight: Any, module: str) -> Any:
    """[outputs, inputs] of a linear map that Tunix stores in another layout; other weights unchanged."""
    if module in ("o_proj", "attn_vec_einsum"):  # [heads, head_dim, dim]
        return weight.reshape(-1, weight.shape[-1]).T
    if module in _DELTA_ORDER:  # [heads, dim, head_dim]
        weight = weight.transpose(1, 0, 2)
    if weight.ndim == 3:  # [dim, heads, head_dim]
        weight = weight.reshape(len(weight), -1)
    return weight if module not in _LINEAR else weight.T


_LINEAR = {
    *(*_DELTA_ORDER, "q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "down_proj", "router", "lm_head"),
    *("per_layer_model_projection", "per_layer_input_gate", "per_layer_projection"),
}


def _quantized(model: Any) -> Iterator[tuple[str, Any]]:
    """The quantised weights by their Tunix names."""
    from flax import nnx

    from tunixrt_core.tunix_backend.model.lora.quantized import is_quantized

    for path, module in nnx.iter_modules(model):
        for name, value in vars(module).items():
            if is_quantized(value):
                yield ".".join(str(part) for part in (*path, name)), value
