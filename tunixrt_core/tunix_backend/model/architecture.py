"""Sizes and switches of a model from its config.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunixrt_core.errors import BrokenFile, ModelError
from tunixrt_core.tunix_backend.model.rope import inverse_frequencies
from tunixrt_core.util.files.regular import read_text

_MOST_BYTES = 4 << 20  # of config.json
# Far above the largest public models: more is an error, which would be computed with for hours
_MOST = {
    "num_hidden_layers": 1 << 10,
    "num_attention_heads": 1 << 12,
    "num_key_value_heads": 1 << 12,
    "head_dim": 1 << 14,
    "hidden_size": 1 << 18,
    "intermediate_size": 1 << 20,
    "vocab_size": 1 << 24,
}


@dataclass(frozen=True, slots=True)
class Rope:
    """Rotary positions: the base, and the scaling rule, if any."""

    theta: float
    scaling: Mapping[str, Any] | None = None

    def frequencies(self, head_dim: int) -> tuple[float, ...]:
        """Radians per position for each of the head_dim / 2 pairs."""
        return inverse_frequencies(head_dim, self.theta, self.scaling)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A text model as its config.json describes it. `kind` is its model_type, one of KINDS."""

    kind: str
    layers: int
    vocab_size: int | None  # None where config.json leaves it to the weights
    embed_dim: int
    hidden_dim: int
    heads: int
    kv_heads: int
    head_dim: int
    norm_eps: float
    tied: bool
    rope: Rope
    local_rope: Rope | None = None  # of the layers that see only a window, where theirs differs
    local_layers: tuple[bool, ...] = ()  # for each layer, whether it sees only a window
    window: int | None = None  # tokens that a local layer sees, its own among them
    query_scalar: float | None = None  # queries are divided by its root, where that is not head_dim's
    attention_softcap: float | None = None
    logit_softcap: float | None = None


def read_architecture(directory: Path) -> Architecture:
    """Read a model's directory. Raises ModelError where its config.json is missing, broken, or not supported."""
    return architecture_of(read_config(directory))


def read_config(directory: Path) -> dict[str, Any]:
    """The content of config.json. Raises ModelError where it is missing or not a JSON object."""
    path = directory / "config.json"
    try:
        config = json.loads(read_text(path, most=_MOST_BYTES, follow=True))
    except FileNotFoundError:
        raise ModelError(f"There is no config.json in {directory}. Put the model's files there.") from None
    except BrokenFile as error:
        raise ModelError(f"{path} {error.reason}. Download the model again.") from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path} is not JSON. Download the model again.") from None
    if not isinstance(config, dict):
        raise ModelError(f"{path} is not a model's config. Download the model again.")
    return config


def architecture_of(config: Mapping[str, Any]) -> Architecture:
    """Parse the content of config.json. Raises ModelError naming what this version does not support."""
    try:
        return _parsed(config)
    except (TypeError, ValueError, AttributeError, KeyError, ArithmeticError) as error:
        # a value of a kind that no model has, such as a list of layers
        raise ModelError(f"config.json cannot be read ({error}). Download the model again.") from None


def _parsed(config: Mapping[str, Any]) -> Architecture:
    kind = str(config.get("model_type"))
    if (read := KINDS.get(kind)) is None:
        raise ModelError(
            f"The model has the type {config.get('model_type')!r}, which this version cannot train. "
            f"Choose a model of type {', '.join(KINDS)}."
        )
    if config.get("quantization_config"):
        raise ModelError(
            "config.json has a quantization_config: the weights are already quantised, which Tunix cannot read. "
            "Use the model as published in 16 bits, with method qlora to quantise it here."
        )
    text = config.get("text_config", config) if kind == "gemma3" else config
    architecture = read(kind, text)
    _refuse(text, attention_dropout=0.0)
    if architecture.heads % architecture.kv_heads or architecture.head_dim % 2:
        raise ModelError(
            f"config.json says {architecture.heads} heads of {architecture.head_dim}, {architecture.kv_heads} for keys "
            "and values: the heads must be a multiple of those for keys and values, and their size even. "
            "Choose another model."
        )
    return architecture


def _qwen3(kind: str, config: Mapping[str, Any]) -> Architecture:
    _refuse(config, attention_bias=False, hidden_act="silu", use_sliding_window=False)
    return _dense(kind, config)


def _qwen2(kind: str, config: Mapping[str, Any]) -> Architecture:
    _refuse(config, hidden_act="silu", use_sliding_window=False)
    return _dense(kind, config)


def _llama(kind: str, config: Mapping[str, Any]) -> Architecture:
    _refuse(config, attention_bias=False, mlp_bias=False, hidden_act="silu")
    return _dense(kind, config)


_GEMMA_DEFAULTS = {  # the family's defaults, which config.json leaves out
    "num_key_value_heads": 4,
    "num_attention_heads": 8,
    "head_dim": 256,
    "rms_norm_eps": 1e-6,
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
    "tie_word_embeddings": True,
}
_GEMMA2_DEFAULTS = {**_GEMMA_DEFAULTS, "final_logit_softcapping": 30.0, "attn_logit_softcapping": 50.0}
_GEMMA3_DEFAULTS = {**_GEMMA_DEFAULTS, "rope_theta": 1_000_000.0}


def _gemma2(kind: str, given: Mapping[str, Any]) -> Architecture:
    config = {**_GEMMA2_DEFAULTS, **given}
    _refuse_gemma(config)
    _refuse(config, query_pre_attn_scalar=_head_dim(config))
    dense = _dense(kind, config)
    return replace(
        dense,
        # every other layer, from the first one on, sees only a window
        local_layers=_local_layers(config, tuple(i % 2 == 0 for i in range(dense.layers))),
        window=_whole(config, "sliding_window"),
        attention_softcap=_positive_or_none(config, "attn_logit_softcapping"),
        logit_softcap=_positive_or_none(config, "final_logit_softcapping"),
    )


def _gemma3(kind: str, given: Mapping[str, Any]) -> Architecture:
    config = {**_GEMMA3_DEFAULTS, **given}
    _refuse_gemma(config)
    _refuse(config, final_logit_softcapping=None, attn_logit_softcapping=None)
    both = config.get("rope_parameters") or {}
    if "full_attention" in both:  # as transformers 5 writes it
        local, everywhere = (_rope({"rope_parameters": both[f"{name}_attention"]}) for name in ("sliding", "full"))
    else:
        local, everywhere = Rope(float(config.get("rope_local_base_freq", 10_000.0))), _rope(config)
    for rope in (local, everywhere):
        if rope.scaling is not None and (rope.scaling["rope_type"] != "linear" or rope.scaling.get("factor", 0) < 1):
            raise _ignored("rope_scaling", dict(rope.scaling))
    dense = _dense(kind, {**config, "rope_parameters": None, "rope_scaling": None})
    pattern = config.get("sliding_window_pattern", config.get("_sliding_window_pattern")) or 6
    scalar = float(config["query_pre_attn_scalar"])
    if scalar not in (dense.head_dim, dense.embed_dim // dense.heads):
        raise _ignored("query_pre_attn_scalar", scalar)
    return replace(
        dense,
        rope=everywhere,
        local_rope=local,
        local_layers=_local_layers(config, tuple((i + 1) % int(pattern) != 0 for i in range(dense.layers))),
        window=_whole(config, "sliding_window"),
        query_scalar=None if scalar == dense.head_dim else scalar,
    )


def _refuse_gemma(config: Mapping[str, Any]) -> None:
    _refuse(
        config,
        attention_bias=False,
        hidden_activation="gelu_pytorch_tanh",
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        use_bidirectional_attention=False,
    )


KINDS: dict[str, Callable[[str, Mapping[str, Any]], Architecture]] = {
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "llama": _llama,
    "gemma2": _gemma2,
    "gemma3_text": _gemma3,
    "gemma3": _gemma3,
}


def _dense(kind: str, config: Mapping[str, Any]) -> Architecture:
    """The fields that all families have under the same names."""
    heads = _whole(config, "num_attention_heads")
    layers = _whole(config, "num_hidden_layers")
    architecture = Architecture(
        kind=kind,
        layers=layers,
        vocab_size=_whole(config, "vocab_size") if config.get("vocab_size") is not None else None,
        embed_dim=_whole(config, "hidden_size"),
        hidden_dim=_whole(config, "intermediate_size"),
        heads=heads,
        kv_heads=_whole({"num_key_value_heads": heads, **_given(config)}, "num_key_value_heads"),
        head_dim=_head_dim(config),
        norm_eps=float(config.get("rms_norm_eps", 1e-6)),
        tied=bool(config.get("tie_word_embeddings", False)),
        rope=_rope(config),
    )
    if kind in ("qwen2", "qwen3", "llama") and any(_local_layers(config, (False,) * layers)):
        raise _ignored("layer_types", config["layer_types"])
    architecture.rope.frequencies(architecture.head_dim)  # raises for an unknown scaling
    return architecture


def _local_layers(config: Mapping[str, Any], otherwise: tuple[bool, ...]) -> tuple[bool, ...]:
    """For each layer, whether it sees only a window, where config.json says so."""
    types = config.get("layer_types")
    if types is None:
        return otherwise
    known = {"full_attention": False, "sliding_attention": True}
    if len(types) != len(otherwise) or not set(types) <= set(known):
        raise _ignored("layer_types", types)
    return tuple(known[name] for name in types)


def _head_dim(config: Mapping[str, Any]) -> int:
    if config.get("head_dim") is not None:
        return _whole(config, "head_dim")
    return _whole(config, "hidden_size") // _whole(config, "num_attention_heads")


def _rope(config: Mapping[str, Any]) -> Rope:
    """Base and scaling, as written by transformers 4 (rope_theta, rope_scaling) or 5 (rope_parameters)."""
    parameters = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = float(parameters.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    for source in (config, parameters):
        if float(source.get("partial_rotary_factor") or 1.0) != 1.0:
            raise _ignored("partial_rotary_factor", source["partial_rotary_factor"])
    return Rope(theta, None if kind == "default" else {**parameters, "rope_type": kind})


def _refuse(config: Mapping[str, Any], **expected: Any) -> None:
    for key, value in expected.items():
        if key in config and config[key] != value and not (config[key] is None and not value):
            raise _ignored(key, config[key])


def _ignored(key: str, value: Any) -> ModelError:
    return ModelError(
        f"config.json asks for {key} = {value!r}, which Tunix would silently ignore. Choose another model."
    )


def _given(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if value is not None}


def _whole(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ModelError(f"config.json: {key} is {value!r}, but must be a whole number above 0.")
    if value > _MOST.get(key, value):
        raise ModelError(
            f"config.json: {key} is {value:,}, but no model has more than {_MOST[key]:,}. Download the model again."
        )
    return value


def _positive_or_none(config: Mapping[str, Any], key: str) -> float | None:
    value = config.get(key)
    if value is not None and not (isinstance(value, int | float) and value > 0):
        raise ModelError(f"config.json: {key} is {value!r}, but must be a number above 0, or null.")
    return None if value is None else float(value)
