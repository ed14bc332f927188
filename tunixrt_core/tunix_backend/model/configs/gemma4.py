"""Gemma 4's config: two kinds of layers, borrowed keys, embeddings per layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.model.architecture import Architecture, Gemma4, Rope
from tunixrt_core.tunix_backend.model.configs.gemma import refuse_gemma
from tunixrt_core.tunix_backend.model.configs.values import (
    dense,
    ignored,
    local_layers,
    positive_or_none,
    refuse,
    whole,
)

_DEFAULTS: dict[str, Any] = {  # the family's defaults, where config.json leaves them out
    "num_key_value_heads": 4,
    "num_attention_heads": 8,
    "head_dim": 256,
    "global_head_dim": 512,
    "rms_norm_eps": 1e-6,
    "sliding_window": 512,
    "tie_word_embeddings": True,
    "num_kv_shared_layers": 0,
    "hidden_size_per_layer_input": 256,
}
_ROPE: dict[str, Any] = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
    "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1_000_000.0},
}


def gemma4(kind: str, given: Mapping[str, Any]) -> Architecture:
    """Raises ModelError for the larger models of the family, which have experts, or keys that are values too."""
    config = {**_DEFAULTS, **{key: value for key, value in given.items() if value is not None}}
    if config.get("use_bidirectional_attention") == "vision":  # of the tokens of a picture; a text has none
        del config["use_bidirectional_attention"]
    refuse_gemma(config)
    refuse(config, enable_moe_block=False, attention_k_eq_v=False)
    found = dense(kind, {**config, "rope_parameters": None, "rope_scaling": None})
    # by default every sixth layer sees everything, and the last one always does
    pattern = (*((i + 1) % 6 != 0 for i in range(found.layers - 1)), False)
    layers = (*local_layers(config, pattern)[:-1], False)
    local, everywhere = _ropes(config)
    return replace(
        found,
        rope=everywhere,
        local_rope=local,
        local_layers=layers,
        window=whole(config, "sliding_window"),
        logit_softcap=positive_or_none(config, "final_logit_softcapping"),
        gemma4=_parts(config, found, layers),
    )


def _parts(config: Mapping[str, Any], found: Architecture, layers: tuple[bool, ...]) -> Gemma4:
    borrowing = whole(config, "num_kv_shared_layers", least=0)
    own = layers[: found.layers - borrowing]
    if not set(layers[len(own) :]) <= set(own):
        raise ModelError(
            f"config.json: num_kv_shared_layers is {borrowing}, but the {len(own)} layers before have no keys and "
            "values for each kind of layer. Download the model again."
        )
    per_layer = whole(config, "hidden_size_per_layer_input", least=0)
    if per_layer and found.vocab_size is not None:
        refuse(config, vocab_size_per_layer_input=found.vocab_size)
    return Gemma4(
        global_head_dim=whole(config, "global_head_dim"),
        borrowing=borrowing,
        borrowing_hidden_dim=found.hidden_dim * (2 if config.get("use_double_wide_mlp") else 1),
        per_layer_dim=per_layer,
    )


def _ropes(config: Mapping[str, Any]) -> tuple[Rope, Rope]:
    """Of the local layers, and of those that see everything, whose heads turn in part."""
    both = {**_ROPE, **(config.get("rope_parameters") or {})}
    local, everywhere = both["sliding_attention"], both["full_attention"]
    if local.get("rope_type", "default") != "default":
        raise ignored("rope_parameters", dict(local))
    if everywhere.get("rope_type") != "proportional" or everywhere.get("factor", 1.0) < 1:
        raise ignored("rope_parameters", dict(everywhere))
    return Rope(float(local["rope_theta"])), Rope(float(everywhere["rope_theta"]), dict(everywhere))
