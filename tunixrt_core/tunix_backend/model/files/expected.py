"""The tensors and the number of parameters of a model of an architecture."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tunixrt_core.tunix_backend.model.architecture import Architecture

_NORMED_HEADS = ("qwen3", "qwen3_moe", "gemma3", "gemma3_text", "gemma4", "gemma4_text")


def expected_tensors(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a model of this architecture, by Hugging Face name."""
    a = architecture
    vocabulary = a.vocab_size or 0
    tensors: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocabulary, a.embed_dim),
        "model.norm.weight": (a.embed_dim,),
    }
    if not a.tied:
        tensors["lm_head.weight"] = (vocabulary, a.embed_dim)
    if a.gemma4 and (size := a.gemma4.per_layer_dim):
        tensors["model.embed_tokens_per_layer.weight"] = (vocabulary, a.layers * size)
        tensors["model.per_layer_model_projection.weight"] = (a.layers * size, a.embed_dim)
        tensors["model.per_layer_projection_norm.weight"] = (size,)
    for i in range(a.layers):
        tensors |= {f"model.layers.{i}.{name}": shape for name, shape in _layer_tensors(a, i)}
    return tensors


def parameter_count(architecture: Architecture) -> int:
    """The number of parameters of a model of this architecture."""
    return sum(math.prod(shape) for shape in expected_tensors(architecture).values())


def idle_parameters(architecture: Architecture) -> int:
    """Of these, the number that a token is not multiplied with: experts not chosen, and embeddings per layer."""
    a = architecture
    embeddings = (a.vocab_size or 0) * a.layers * a.gemma4.per_layer_dim if a.gemma4 else 0
    return embeddings + idle_experts(a)


def idle_experts(architecture: Architecture) -> int:
    """Parameters of the experts that a token does not use, over all layers."""
    a = architecture
    if a.experts is None:
        return 0
    return 3 * (a.experts.count - a.experts.per_token) * a.layers * a.embed_dim * a.hidden_dim


def _layer_tensors(a: Architecture, layer: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    gemma, size = a.kind.startswith("gemma"), a.head_dim_of(layer)
    projections = [("q", a.heads)]
    if a.lender(layer) == layer:
        projections += [("k", a.kv_heads), ("v", a.kv_heads)]
    for name, heads in projections:
        yield f"self_attn.{name}_proj.weight", (heads * size, a.embed_dim)
        if a.kind == "qwen2":
            yield f"self_attn.{name}_proj.bias", (heads * size,)
        if name != "v" and a.kind in _NORMED_HEADS:
            yield f"self_attn.{name}_norm.weight", (size,)
    yield "self_attn.o_proj.weight", (a.embed_dim, a.heads * size)
    yield from _mlp_tensors(a, layer)
    norms = ("input", "post_attention", "pre_feedforward", "post_feedforward") if gemma else ("input", "post_attention")
    yield from ((f"{name}_layernorm.weight", (a.embed_dim,)) for name in norms)
    if a.gemma4:
        yield "layer_scalar", (1,)
        if per_layer := a.gemma4.per_layer_dim:
            yield "per_layer_input_gate.weight", (per_layer, a.embed_dim)
            yield "per_layer_projection.weight", (a.embed_dim, per_layer)
            yield "post_per_layer_input_norm.weight", (a.embed_dim,)


def _mlp_tensors(a: Architecture, layer: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden = a.hidden_dim_of(layer)
    if a.experts:
        yield "mlp.gate.weight", (a.experts.count, a.embed_dim)
    for place in [f"experts.{i}." for i in range(a.experts.count)] if a.experts else [""]:
        yield from ((f"mlp.{place}{name}_proj.weight", (hidden, a.embed_dim)) for name in ("gate", "up"))
        yield f"mlp.{place}down_proj.weight", (a.embed_dim, hidden)
