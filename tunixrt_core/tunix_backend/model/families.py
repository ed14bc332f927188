"""Tunix's model of a family, with the faults of 0.1.7 fixed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from tunixrt_core.tunix_backend.model.architecture import Architecture, Rope
from tunixrt_core.tunix_backend.model.corrected.rope import use_frequencies


@dataclass(frozen=True, slots=True)
class Family:
    """One model family of Tunix: `name` is its package, `config` makes its ModelConfig from an architecture.

    `corrected` is the class of a family whose own one is wrong in its code, in the module of `corrected/` that also
    loads it; `correct` sets what is wrong in a loaded model only.
    """

    name: str
    params_module: str
    config: Callable[[ModuleType, Architecture, Any], Any]
    correct: Callable[[Any, ModuleType, Architecture], None]
    corrected: tuple[str, str] | None = None

    def model_module(self) -> ModuleType:
        return importlib.import_module(f"tunix.models.{self.name}.model")

    def model_class(self) -> Any:
        """Tunix's model class; its constructor takes a ModelConfig and `rngs`."""
        if self.corrected is not None:
            return getattr(self._corrected_module(), self.corrected[1])
        return getattr(self.model_module(), self.name.capitalize())

    def load(self, directory: str, config: Any, mesh: Any, dtype: Any) -> Any:
        """The model with the weights of the directory, sharded over the mesh."""
        if self.corrected is not None:
            return self._corrected_module().load(directory, config, mesh, dtype)
        params = importlib.import_module(f"tunix.models.{self.name}.{self.params_module}")
        return params.create_model_from_safe_tensors(directory, config, mesh=mesh, dtype=dtype)

    def _corrected_module(self) -> ModuleType:
        assert self.corrected is not None
        return importlib.import_module(f"tunixrt_core.tunix_backend.model.corrected.{self.corrected[0]}")


def _qwen(module: ModuleType, architecture: Architecture, dtype: Any) -> Any:
    return module.ModelConfig(
        **_dense(architecture),
        rope_theta=architecture.rope.theta,
        use_tied_embedding=architecture.tied,
        dtype=dtype,
        param_dtype=dtype,
    )


def _qwen3_moe(module: ModuleType, architecture: Architecture, dtype: Any) -> Any:
    assert architecture.experts is not None
    experts = {"num_experts": architecture.experts.count, "num_experts_per_tok": architecture.experts.per_token}
    return replace(_qwen(module, architecture, dtype), **experts)


def _llama3(module: ModuleType, architecture: Architecture, dtype: Any) -> Any:
    return module.ModelConfig(
        **_dense(architecture), rope_theta=architecture.rope.theta, weight_tying=architecture.tied
    )


def _gemma2(module: ModuleType, architecture: Architecture, dtype: Any) -> Any:
    kinds = module.AttentionType
    return module.ModelConfig(
        **_gemma_sizes(architecture),
        final_logit_softcap=architecture.logit_softcap,
        attn_logits_soft_cap=architecture.attention_softcap,
        attention_types=tuple(kinds.LOCAL_SLIDING if local else kinds.GLOBAL for local in architecture.local_layers),
        use_post_attn_norm=True,
        use_post_ffw_norm=True,
    )


def _gemma3(module: ModuleType, architecture: Architecture, dtype: Any) -> Any:
    norms = module.QueryPreAttentionNormalisation
    by_head = architecture.query_scalar is None
    return module.ModelConfig(
        **_gemma_sizes(architecture),
        query_pre_attn_norm=norms.BY_ONE_OVER_SQRT_HEAD_DIM
        if by_head
        else norms.BY_ONE_OVER_SQRT_EMBED_DIM_DIV_NUM_HEADS,
        param_dtype=dtype,
    )


def _gemma4(module: ModuleType, architecture: Architecture, dtype: Any) -> Any:
    kinds, own, everywhere = module.AttentionType, architecture.gemma4, architecture.rope.scaling
    assert own is not None
    assert everywhere is not None
    assert architecture.local_rope is not None
    return module.ModelConfig(
        **_gemma_sizes(architecture),
        final_logit_softcap=architecture.logit_softcap,
        attention_pattern=tuple(kinds.LOCAL_SLIDING if local else kinds.GLOBAL for local in architecture.local_layers),
        global_key_size=own.global_head_dim,
        # Tunix rounds the number of the other layers down; half a layer less is safe from errors of floats
        frac_shared_layers=(own.borrowing - 0.5) / architecture.layers if own.borrowing else 0.0,
        override_kv_shared_ffw_hidden=own.borrowing_hidden_dim,
        per_layer_input_dim=own.per_layer_dim,
        local_base_frequency=architecture.local_rope.theta,
        global_base_frequency=architecture.rope.theta,
        global_scale_factor=float(everywhere.get("factor", 1.0)),
        global_rope_proportion=float(everywhere["partial_rotary_factor"]),
        dtype=dtype,
        param_dtype=dtype,
    )


def _dense(architecture: Architecture) -> dict[str, Any]:
    sizes = _sizes(architecture)
    return {**sizes, "vocab_size": architecture.vocab_size, "norm_eps": architecture.norm_eps}


def _gemma_sizes(architecture: Architecture) -> dict[str, Any]:
    sizes = _sizes(architecture)
    return {**sizes, "num_embed": architecture.vocab_size, "sliding_window_size": architecture.window}


def _sizes(architecture: Architecture) -> dict[str, Any]:
    return {
        "num_layers": architecture.layers,
        "embed_dim": architecture.embed_dim,
        "hidden_dim": architecture.hidden_dim,
        "num_heads": architecture.heads,
        "head_dim": architecture.head_dim,
        "num_kv_heads": architecture.kv_heads,
    }


def _correct_rope(theta: float | None) -> Callable[[Any, ModuleType, Architecture], None]:
    """For families whose forward pass uses one base only: `theta`, or that of the config where it is None."""

    def correct(model: Any, module: ModuleType, architecture: Architecture) -> None:
        wanted = architecture.rope.frequencies(architecture.head_dim)
        base = architecture.rope.theta if theta is None else theta
        if wanted != Rope(base).frequencies(architecture.head_dim):
            use_frequencies(model, module, wanted)

    return correct


def _correct_gemma3(model: Any, module: ModuleType, architecture: Architecture) -> None:
    """Set the kind of each layer: Tunix has one pattern of local layers for all models, kept as layer attributes."""
    kinds = module.AttentionType
    assert architecture.local_rope is not None
    for layer, local in zip(model.layers, architecture.local_layers, strict=True):
        rope = architecture.local_rope if local else architecture.rope
        layer.attn.attn_type = kinds.LOCAL_SLIDING if local else kinds.GLOBAL
        layer.attn.rope_base_frequency = rope.theta
        layer.attn.rope_scale_factor = 1.0 if rope.scaling is None else float(rope.scaling["factor"])


def _correct_nothing(model: Any, module: ModuleType, architecture: Architecture) -> None:
    """For families whose class is corrected."""


_GEMMA4 = Family("gemma4", "params_safetensors", _gemma4, _correct_nothing, corrected=("gemma4", "Gemma4"))
_GEMMA3 = Family("gemma3", "params_safetensors", _gemma3, _correct_gemma3)
FAMILIES: dict[str, Family] = {
    "qwen2": Family("qwen2", "params", _qwen, _correct_rope(None)),
    "qwen3": Family("qwen3", "params", _qwen, _correct_rope(1_000_000.0)),
    "qwen3_moe": Family("qwen3", "params", _qwen3_moe, _correct_rope(1_000_000.0), corrected=("qwen3_moe", "Qwen3Moe")),
    "llama": Family("llama3", "params", _llama3, _correct_rope(1_000_000.0)),
    "gemma2": Family("gemma", "params_safetensors", _gemma2, _correct_rope(10_000.0)),
    "gemma3_text": _GEMMA3,
    "gemma3": _GEMMA3,
    "gemma4_text": _GEMMA4,
    "gemma4": _GEMMA4,
}
