"""config.json of a Hugging Face model -> Tunix's ModelConfig, refusing what Tunix 0.1.7 would silently leave out."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.rope import inverse_frequencies


@dataclass(frozen=True, slots=True)
class Shapes:
    """What the weight files really hold, read from their headers."""

    layers: int
    vocab_size: int


@dataclass(frozen=True, slots=True)
class Family:
    """One model family of Tunix."""

    name: str
    params_module: str
    config: Callable[[ModuleType, Mapping[str, Any], Shapes, Any], Any]
    # qwen3 and llama3 compute RoPE without the config's values (see rope.py)
    ignores_rope: bool = False

    def model_module(self) -> ModuleType:
        return importlib.import_module(f"tunix.models.{self.name}.model")

    def load(self, directory: str, config: Any, mesh: Any, dtype: Any) -> Any:
        """The model with the weights of the directory, laid out over the mesh."""
        params = importlib.import_module(f"tunix.models.{self.name}.{self.params_module}")
        return params.create_model_from_safe_tensors(directory, config, mesh=mesh, dtype=dtype)


def family_of(config: Mapping[str, Any]) -> tuple[Family, Mapping[str, Any]]:
    """The family, and the part of config.json that describes the text model. Raises ModelError for other models."""
    kind = config.get("model_type")
    text = config.get("text_config", config) if kind == "gemma3" else config
    if (family := FAMILIES.get(str(kind))) is None:
        raise ModelError(
            f"The model is of type {kind!r}, which this version cannot train. Known are {', '.join(FAMILIES)}."
        )
    return family, text


def rope_frequencies(config: Mapping[str, Any]) -> tuple[float, ...]:
    """The RoPE frequencies that config.json asks for."""
    theta, scaling = _rope(config)
    return inverse_frequencies(_head_dim(config), theta, scaling)


def _qwen3(module: ModuleType, config: Mapping[str, Any], shapes: Shapes, dtype: Any) -> Any:
    _refuse(config, attention_bias=False, hidden_act="silu", use_sliding_window=False)
    return module.ModelConfig(
        **_dense(config, shapes),
        rope_theta=int(_rope(config)[0]),
        use_tied_embedding=bool(config.get("tie_word_embeddings", False)),
        dtype=dtype,
        param_dtype=dtype,
    )


def _qwen2(module: ModuleType, config: Mapping[str, Any], shapes: Shapes, dtype: Any) -> Any:
    _refuse(config, hidden_act="silu", use_sliding_window=False)
    theta, scaling = _rope(config)
    if scaling is not None:
        raise _ignored("rope_scaling", scaling)
    return module.ModelConfig(
        **_dense(config, shapes),
        rope_theta=int(theta),
        use_tied_embedding=bool(config.get("tie_word_embeddings", False)),
        dtype=dtype,
        param_dtype=dtype,
    )


def _llama3(module: ModuleType, config: Mapping[str, Any], shapes: Shapes, dtype: Any) -> Any:
    _refuse(config, attention_bias=False, mlp_bias=False, hidden_act="silu")
    return module.ModelConfig(
        **_dense(config, shapes),
        rope_theta=int(_rope(config)[0]),
        weight_tying=bool(config.get("tie_word_embeddings", False)),
    )


_GEMMA3_DEFAULTS = {  # what config.json leaves out where it is the Gemma 3 default
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "rms_norm_eps": 1e-6,
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
    "rope_theta": 1_000_000.0,
}
_GEMMA3_PATTERN = 6  # every sixth layer attends to everything


def _gemma3(module: ModuleType, given: Mapping[str, Any], shapes: Shapes, dtype: Any) -> Any:
    config = {**_GEMMA3_DEFAULTS, **given}
    _refuse(
        config,
        attention_bias=False,
        hidden_activation="gelu_pytorch_tanh",
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        final_logit_softcapping=None,
        attn_logit_softcapping=None,
        use_bidirectional_attention=False,
        sliding_window_pattern=_GEMMA3_PATTERN,
        layer_types=_gemma3_layers(shapes.layers),
    )
    local, globally = _gemma3_rope(config)
    dense = _dense(config, shapes)
    return module.ModelConfig(
        num_embed=dense.pop("vocab_size"),
        **{name: value for name, value in dense.items() if name != "norm_eps"},
        sliding_window_size=int(config["sliding_window"]),
        local_base_frequency=int(local),
        global_base_frequency=int(globally[0]),
        global_scale_factor=float((globally[1] or {"factor": 1.0})["factor"]),
        query_pre_attn_norm=_gemma3_scale(module, config),
        param_dtype=dtype,
    )


def _gemma3_layers(layers: int) -> list[str]:
    return ["full_attention" if (i + 1) % _GEMMA3_PATTERN == 0 else "sliding_attention" for i in range(layers)]


def _gemma3_rope(config: Mapping[str, Any]) -> tuple[float, tuple[float, Mapping[str, Any] | None]]:
    """The base of the local layers; base and linear scaling of the global ones."""
    both = config.get("rope_parameters") or {}
    if "full_attention" in both:  # as transformers 5 writes it
        local, globally = both["sliding_attention"]["rope_theta"], _rope({"rope_parameters": both["full_attention"]})
    else:
        local, globally = config.get("rope_local_base_freq", 10_000.0), _rope(config)
    if globally[1] is not None and globally[1].get("rope_type") != "linear":
        raise _ignored("rope_scaling", globally[1])
    return float(local), globally


def _gemma3_scale(module: ModuleType, config: Mapping[str, Any]) -> Any:
    norms = module.QueryPreAttentionNormalisation
    scalar = float(config["query_pre_attn_scalar"])
    if scalar == config["head_dim"]:
        return norms.BY_ONE_OVER_SQRT_HEAD_DIM
    if scalar == int(config["hidden_size"]) // int(config["num_attention_heads"]):
        return norms.BY_ONE_OVER_SQRT_EMBED_DIM_DIV_NUM_HEADS
    raise _ignored("query_pre_attn_scalar", scalar)


FAMILIES: dict[str, Family] = {
    "qwen2": Family("qwen2", "params", _qwen2),
    "qwen3": Family("qwen3", "params", _qwen3, ignores_rope=True),
    "llama": Family("llama3", "params", _llama3, ignores_rope=True),
    "gemma3_text": Family("gemma3", "params_safetensors", _gemma3),
    "gemma3": Family("gemma3", "params_safetensors", _gemma3),
}


def _dense(config: Mapping[str, Any], shapes: Shapes) -> dict[str, Any]:
    """The fields that all families have under the same meaning."""
    layers = _whole(config, "num_hidden_layers")
    if layers != shapes.layers:
        raise ModelError(
            f"config.json says {layers} layers, the weight files hold {shapes.layers}. "
            "They do not belong together; download the model again."
        )
    heads = _whole(config, "num_attention_heads")
    return {
        "num_layers": layers,
        "vocab_size": shapes.vocab_size,
        "embed_dim": _whole(config, "hidden_size"),
        "hidden_dim": _whole(config, "intermediate_size"),
        "num_heads": heads,
        "head_dim": _head_dim(config),
        "num_kv_heads": int(config.get("num_key_value_heads") or heads),
        "norm_eps": float(config.get("rms_norm_eps", 1e-6)),
    }


def _head_dim(config: Mapping[str, Any]) -> int:
    return int(config.get("head_dim") or _whole(config, "hidden_size") // _whole(config, "num_attention_heads"))


def _rope(config: Mapping[str, Any]) -> tuple[float, Mapping[str, Any] | None]:
    """Base and scaling, where transformers 4 (rope_theta, rope_scaling) or 5 (rope_parameters) writes them."""
    parameters = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = float(parameters.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    if float(config.get("partial_rotary_factor") or 1.0) != 1.0:
        raise _ignored("partial_rotary_factor", config["partial_rotary_factor"])
    return theta, None if kind == "default" else {**parameters, "rope_type": kind}


def _refuse(config: Mapping[str, Any], **expected: Any) -> None:
    for key, value in expected.items():
        if key in config and config[key] != value and not (config[key] is None and not value):
            raise _ignored(key, config[key])


def _ignored(key: str, value: Any) -> ModelError:
    return ModelError(
        f"config.json asks for {key} = {value!r}, which Tunix would silently ignore; choose another model."
    )


def _whole(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value < 1:
        raise ModelError(f"config.json: {key} is {value!r}, but must be a whole number above 0.")
    return value
