"""A trained Tunix model's weights under their Hugging Face names and in their shapes, with LoRA merged in.

Weights that QLoRA has quantised come out as the numbers they stand for: those that LoRA was trained beside, so that the
merged model says what the trained one says. Put on the original weights, LoRA would miss what it learnt to make up for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from tunixrt_core.errors import TrainingError
from tunixrt_core.tunix_backend.lora import dequantize, is_quantized

_LAYER = re.compile(r"(?:language_model\.)?model\.layers\.(\d+)\.(.+)\.(weight|bias)")

# Where Tunix keeps what Hugging Face calls so: the first name is that of Qwen and Llama, the others those of Gemma.
_OUTER = {
    "model.embed_tokens.weight": ("embedder.input_embedding",),
    "model.norm.weight": ("final_norm.w", "final_norm.scale"),
}
_NORMS = {
    "input_layernorm": ("input_layernorm.w", "pre_attention_norm.scale"),
    # Gemma 2 and Gemma 3 have two names for it
    "post_attention_layernorm": ("post_attention_layernorm.w", "post_attention_norm.scale", "post_attn_norm.scale"),
    "self_attn.q_norm": ("attn.q_norm.w", "attn._query_norm.scale"),
    "self_attn.k_norm": ("attn.k_norm.w", "attn._key_norm.scale"),
    "pre_feedforward_layernorm": ("pre_ffw_norm.scale",),
    "post_feedforward_layernorm": ("post_ffw_norm.scale",),
}
# Gemma stacks projections: which of them holds this one, and at which place (None: it stands alone).
_STACKED: dict[str, tuple[tuple[str, int | None], ...]] = {
    "q": (("q_einsum", None), ("qkv_einsum", 0)),
    "k": (("kv_einsum", 0), ("qkv_einsum", 1)),
    "v": (("kv_einsum", 1), ("qkv_einsum", 2)),
}
# A LoRA product has the input's axis first; the stacked weights have it elsewhere.
_DELTA_ORDER = {"q_einsum": (1, 0, 2), "kv_einsum": (1, 2, 0, 3), "qkv_einsum": (1, 2, 0, 3)}


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
        """Weights of the model that no tensor asked for until now, by their Tunix names."""
        return sorted(self._unread)

    def tensor(self, name: str) -> Any:
        """The float32 array of a tensor, in Hugging Face's orientation; None for one that the model does not have.

        An output head that the model ties to its embedding is the embedding.
        """
        if name == "lm_head.weight":
            head = self._first("lm_head.w")
            return self.tensor("model.embed_tokens.weight") if head is None else head.T
        if (paths := _OUTER.get(name.removeprefix("language_model."))) is not None:
            return self._first(*paths)
        if (found := _LAYER.fullmatch(name)) is None:
            return None
        return self._of_layer(f"layers.{found[1]}", found[2], found[3])

    def _of_layer(self, layer: str, module: str, kind: str) -> Any:
        if module in _NORMS and kind == "weight":
            return self._first(*(f"{layer}.{path}" for path in _NORMS[module]))
        place, _, projection = module.partition(".")
        if place == "mlp" and kind == "weight":
            kernel = self._first(f"{layer}.mlp.{projection}.kernel")
            return None if kernel is None else kernel.T
        if place != "self_attn":
            return None
        if kind == "bias":
            return self._first(f"{layer}.attn.{projection.removesuffix('_proj')}_bias")
        if projection == "o_proj":
            out = self._first(f"{layer}.attn.o_proj.w", f"{layer}.attn.attn_vec_einsum.w")  # [heads, head_dim, dim]
            return None if out is None else out.reshape(-1, out.shape[-1]).T
        into = self._into_heads(f"{layer}.attn", projection.removesuffix("_proj"))
        return None if into is None else into.reshape(into.shape[0], -1).T

    def _into_heads(self, attention: str, which: str) -> Any:
        """The q, k or v projection as [dim, heads, head_dim]."""
        if (alone := self._first(f"{attention}.{which}_proj.w")) is not None:
            return alone
        for module, place in _STACKED.get(which, ()):
            if (stacked := self._first(f"{attention}.{module}.w")) is not None:
                return (stacked if place is None else stacked[place]).transpose(1, 0, 2)
        return None

    def _first(self, *paths: str) -> Any:
        """The first of these weights that the model has, with its LoRA product added, in float32."""
        path = next((path for path in paths if path in self._leaves), None)
        if path is None:
            return None
        weight = self._read(path)
        if f"{path}_lora_a" not in self._leaves:
            return weight
        # qwix: out = in @ weight + in @ a @ b * alpha / rank
        delta = np.tensordot(self._read(f"{path}_lora_a"), self._read(f"{path}_lora_b"), 1) * self._scale
        delta = delta.transpose(_DELTA_ORDER.get(path.split(".")[-2], range(delta.ndim)))
        if delta.shape != weight.shape:
            raise TrainingError(
                f"LoRA on {path} has the shape {delta.shape}, the weight {weight.shape}: it cannot be merged. "
                "Train with another lora.modules."
            )
        return weight + delta

    def _read(self, path: str) -> Any:
        self._unread.discard(path)
        value = self._leaves[path]
        return np.asarray(dequantize(value) if is_quantized(value) else value).astype(np.float32)


def _quantized(model: Any) -> Iterator[tuple[str, Any]]:
    """The quantised weights by their Tunix names."""
    from flax import nnx

    for path, module in nnx.iter_modules(model):
        for name, value in vars(module).items():
            if is_quantized(value):
                yield ".".join(str(part) for part in (*path, name)), value
