"""Gemma 2 and 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tunixrt_core.tunix_backend.model.architecture import Architecture, Rope
from tunixrt_core.tunix_backend.model.configs.values import (
    dense,
    head_dim,
    ignored,
    local_layers,
    positive_or_none,
    refuse,
    rope,
    whole,
)

_DEFAULTS = {  # the family's defaults, which config.json leaves out
    "num_key_value_heads": 4,
    "num_attention_heads": 8,
    "head_dim": 256,
    "rms_norm_eps": 1e-6,
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
    "tie_word_embeddings": True,
}
_DEFAULTS2 = {**_DEFAULTS, "final_logit_softcapping": 30.0, "attn_logit_softcapping": 50.0}
_DEFAULTS3 = {**_DEFAULTS, "rope_theta": 1_000_000.0}


def gemma2(kind: str, given: Mapping[str, Any]) -> Architecture:
    config = {**_DEFAULTS2, **given}
    refuse_gemma(config)
    refuse(config, query_pre_attn_scalar=head_dim(config))
    found = dense(kind, config)
    return replace(
        found,
        # every other layer, from the first one on, sees only a window
        local_layers=local_layers(config, tuple(i % 2 == 0 for i in range(found.layers))),
        window=whole(config, "sliding_window"),
        attention_softcap=positive_or_none(config, "attn_logit_softcapping"),
        logit_softcap=positive_or_none(config, "final_logit_softcapping"),
    )


def gemma3(kind: str, given: Mapping[str, Any]) -> Architecture:
    config = {**_DEFAULTS3, **given}
    refuse_gemma(config)
    refuse(config, final_logit_softcapping=None, attn_logit_softcapping=None)
    both = config.get("rope_parameters") or {}
    if "full_attention" in both:  # as transformers 5 writes it
        local, everywhere = (rope({"rope_parameters": both[f"{name}_attention"]}) for name in ("sliding", "full"))
    else:
        local, everywhere = Rope(float(config.get("rope_local_base_freq", 10_000.0))), rope(config)
    for each in (local, everywhere):
        if each.scaling is not None and (each.scaling["rope_type"] != "linear" or each.scaling.get("factor", 0) < 1):
            raise ignored("rope_scaling", dict(each.scaling))
    found = dense(kind, {**config, "rope_parameters": None, "rope_scaling": None})
    pattern = config.get("sliding_window_pattern", config.get("_sliding_window_pattern")) or 6
    scalar = float(config["query_pre_attn_scalar"])
    if scalar not in (found.head_dim, found.embed_dim // found.heads):
        raise ignored("query_pre_attn_scalar", scalar)
    return replace(
        found,
        rope=everywhere,
        local_rope=local,
        local_layers=local_layers(config, tuple((i + 1) % int(pattern) != 0 for i in range(found.layers))),
        window=whole(config, "sliding_window"),
        query_scalar=None if scalar == found.head_dim else scalar,
    )


def refuse_gemma(config: Mapping[str, Any]) -> None:
    """Raises ModelError for what no Gemma of Tunix has a switch for."""
    refuse(
        config,
        attention_bias=False,
        hidden_activation="gelu_pytorch_tanh",
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        use_bidirectional_attention=False,
    )
