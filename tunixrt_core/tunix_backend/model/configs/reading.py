"""The architecture in a config.json, or the reason why it cannot be trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tunixrt_core.errors import BrokenFile, ModelError
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.configs.gemma import gemma2, gemma3
from tunixrt_core.tunix_backend.model.configs.gemma4 import gemma4
from tunixrt_core.tunix_backend.model.configs.llama_like import llama, qwen2, qwen3, qwen3_moe
from tunixrt_core.tunix_backend.model.configs.values import refuse
from tunixrt_core.util.files.regular import read_text

_MOST_BYTES = 4 << 20  # of config.json


class Kind(NamedTuple):
    """A model_type that can be trained: the family as people call it, and what reads its config."""

    family: str
    read: Callable[[str, Mapping[str, Any]], Architecture]


KINDS: dict[str, Kind] = {
    "qwen2": Kind("Qwen 2, Qwen 2.5", qwen2),
    "qwen3": Kind("Qwen 3", qwen3),
    "qwen3_moe": Kind("Qwen 3 MoE", qwen3_moe),
    "llama": Kind("Llama 3", llama),
    "gemma2": Kind("Gemma 2", gemma2),
    "gemma3_text": Kind("Gemma 3", gemma3),
    "gemma3": Kind("Gemma 3", gemma3),
    "gemma4_text": Kind("Gemma 4 (E2B, E4B)", gemma4),
    "gemma4": Kind("Gemma 4 (E2B, E4B)", gemma4),
}
_WITH_PICTURES = ("gemma3", "gemma4")  # their text model is in text_config


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


def families() -> str:
    """The families that can be trained, with their model_type: `Qwen 3 (qwen3), Llama 3 (llama)`."""
    names: dict[str, list[str]] = {}
    for kind, (family, _) in KINDS.items():
        names.setdefault(family, []).append(kind)
    return ", ".join(f"{family} [{', '.join(kinds)}]" for family, kinds in names.items())


def _parsed(config: Mapping[str, Any]) -> Architecture:
    kind = str(config.get("model_type"))
    if kind not in KINDS:
        raise ModelError(
            f"The model is a {_named(config)}, which this version cannot train. Choose a model of one of these "
            f"families [model_type]: {families()}."
        )
    if config.get("quantization_config"):
        raise ModelError(
            "config.json has a quantization_config: the weights are already quantised, which Tunix cannot read. "
            "Use the model as published in 16 bits, with method qlora to quantise it here."
        )
    text = config.get("text_config", config) if kind in _WITH_PICTURES else config
    architecture = KINDS[kind].read(kind, text)
    refuse(text, attention_dropout=0.0)
    sizes = {architecture.head_dim, *((found.global_head_dim,) if (found := architecture.gemma4) else ())}
    if architecture.heads % architecture.kv_heads or any(size % 2 for size in sizes):
        raise ModelError(
            f"config.json says {architecture.heads} heads of {architecture.head_dim}, {architecture.kv_heads} for keys "
            "and values: the heads must be a multiple of those for keys and values, and their size even. "
            "Choose another model."
        )
    return architecture


def _named(config: Mapping[str, Any]) -> str:
    """The model by what its config calls it: `MistralForCausalLM (model_type 'mistral')`."""
    kind = f"model_type {config.get('model_type')!r}"
    classes = config.get("architectures")
    first = classes[0] if isinstance(classes, list) and classes else None
    return f"{first} ({kind})" if isinstance(first, str) else f"model of {kind}"
