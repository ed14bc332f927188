"""Values of config.json, checked, and the fields that all families share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.model.architecture import Architecture, Rope

# Far above the largest public models: more is an error, which would be computed with for hours
_MOST = {
    "num_hidden_layers": 1 << 10,
    "num_attention_heads": 1 << 12,
    "num_key_value_heads": 1 << 12,
    "head_dim": 1 << 14,
    "global_head_dim": 1 << 14,
    "hidden_size": 1 << 18,
    "hidden_size_per_layer_input": 1 << 14,
    "intermediate_size": 1 << 20,
    "moe_intermediate_size": 1 << 20,
    "num_experts": 1 << 12,
    "vocab_size": 1 << 24,
}


def dense(kind: str, config: Mapping[str, Any]) -> Architecture:
    """The fields that all families have under the same names."""
    heads = whole(config, "num_attention_heads")
    architecture = Architecture(
        kind=kind,
        layers=whole(config, "num_hidden_layers"),
        vocab_size=whole(config, "vocab_size") if config.get("vocab_size") is not None else None,
        embed_dim=whole(config, "hidden_size"),
        hidden_dim=whole(config, "intermediate_size"),
        heads=heads,
        kv_heads=whole({"num_key_value_heads": heads, **given(config)}, "num_key_value_heads"),
        head_dim=head_dim(config),
        norm_eps=float(config.get("rms_norm_eps", 1e-6)),
        tied=bool(config.get("tie_word_embeddings", False)),
        rope=rope(config),
    )
    architecture.rope.frequencies(architecture.head_dim)  # raises for an unknown scaling
    return architecture


def local_layers(config: Mapping[str, Any], otherwise: tuple[bool, ...]) -> tuple[bool, ...]:
    """For each layer, whether it sees only a window, where config.json says so."""
    types = config.get("layer_types")
    if types is None:
        return otherwise
    known = {"full_attention": False, "sliding_attention": True}
    if len(types) != len(otherwise) or not set(types) <= set(known):
        raise ignored("layer_types", types)
    return tuple(known[name] for name in types)


def head_dim(config: Mapping[str, Any]) -> int:
    """The size of a head: named, or what is left of the width for each head."""
    if config.get("head_dim") is not None:
        return whole(config, "head_dim")
    return whole(config, "hidden_size") // whole(config, "num_attention_heads")


def rope(config: Mapping[str, Any]) -> Rope:
    """Base and scaling, as written by transformers 4 (rope_theta, rope_scaling) or 5 (rope_parameters)."""
    parameters = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = float(parameters.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    for source in (config, parameters):
        if float(source.get("partial_rotary_factor") or 1.0) != 1.0:
            raise ignored("partial_rotary_factor", source["partial_rotary_factor"])
    return Rope(theta, None if kind == "default" else {**parameters, "rope_type": kind})


def refuse(config: Mapping[str, Any], **expected: Any) -> None:
    """Raises ModelError for a setting whose value is not the expected one, which is also that of a missing setting."""
    for key, value in expected.items():
        if key in config and config[key] != value and not (config[key] is None and not value):
            raise ignored(key, config[key])


def ignored(key: str, value: Any) -> ModelError:
    """The error for a setting that Tunix has no switch for."""
    return ModelError(
        f"config.json asks for {key} = {value!r}, which Tunix would silently ignore. Choose another model."
    )


def given(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are not null."""
    return {key: value for key, value in config.items() if value is not None}


def whole(config: Mapping[str, Any], key: str, *, least: int = 1) -> int:
    """A whole number from `least` to the limit of its setting. Raises ModelError naming the setting."""
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ModelError(f"config.json: {key} is {value!r}, but must be a whole number above {least - 1}.")
    if value > _MOST.get(key, value):
        raise ModelError(
            f"config.json: {key} is {value:,}, but no model has more than {_MOST[key]:,}. Download the model again."
        )
    return value


def positive_or_none(config: Mapping[str, Any], key: str) -> float | None:
    """A number above 0, or None where it is missing or null. Raises ModelError naming the setting."""
    value = config.get(key)
    if value is not None and not (isinstance(value, int | float) and value > 0):
        raise ModelError(f"config.json: {key} is {value!r}, but must be a number above 0, or null.")
    return None if value is None else float(value)
