"""Qwen 2, Qwen 3, Qwen 3 MoE and Llama 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.model.architecture import Architecture, Experts
from tunixrt_core.tunix_backend.model.configs.values import dense, ignored, local_layers, refuse, whole


def qwen2(kind: str, config: Mapping[str, Any]) -> Architecture:
    refuse(config, hidden_act="silu", use_sliding_window=False)
    return _global(kind, config)


def qwen3(kind: str, config: Mapping[str, Any]) -> Architecture:
    refuse(config, attention_bias=False, hidden_act="silu", use_sliding_window=False)
    return _global(kind, config)


def qwen3_moe(kind: str, config: Mapping[str, Any]) -> Architecture:
    """Raises ModelError for layers without experts, and for weights of experts that do not add up to 1."""
    refuse(config, decoder_sparse_step=1, mlp_only_layers=[])
    # missing means false: Tunix always divides the chosen experts' shares by their sum
    refuse({"norm_topk_prob": False, **config}, norm_topk_prob=True)
    named = "num_local_experts" if config.get("num_experts") is None else "num_experts"
    experts = Experts(whole(config, named), whole(config, "num_experts_per_tok"))
    if experts.per_token > experts.count:
        raise ModelError(
            f"config.json says {experts.per_token} experts per token, but the model has {experts.count}. "
            "Download the model again."
        )
    found = qwen3(kind, {**config, "intermediate_size": config.get("moe_intermediate_size")})
    return replace(found, hidden_dim=whole(config, "moe_intermediate_size"), experts=experts)


def llama(kind: str, config: Mapping[str, Any]) -> Architecture:
    refuse(config, attention_bias=False, mlp_bias=False, hidden_act="silu")
    return _global(kind, config)


def _global(kind: str, config: Mapping[str, Any]) -> Architecture:
    """A model all of whose layers see everything before them."""
    found = dense(kind, config)
    if any(local_layers(config, (False,) * found.layers)):
        raise ignored("layer_types", config["layer_types"])
    return found
