"""Attention layers of Tunix's families: what comes before and after the scores.

A family is added here. `LAYERS` maps the module of its model class to a `Layer`: a function that does what the
family's own `Attention.block` does before its scores, and the name of the projection behind them. The projections are
called as the family calls them, since LoRA and QLoRA act on those calls; helpers such as `apply_rope` are looked up in
the module at each call, since other code replaces them (see rope.py). All uses of private names of Tunix 0.1.7 for
attention are in this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True, slots=True)
class Projected:
    """The inputs of the scores, with norms, rotary positions and the scale applied.

    `queries` [batch, length, heads, dim]; `keys`, `values` [batch, length, kv heads, dim], where query head h uses
    key head h // (heads / kv heads). A token sees the last `window` places of its row, its own among them; None: all.
    With `softcap` a score is softcap * tanh(score / softcap).
    """

    queries: Any
    keys: Any
    values: Any
    window: int | None = None
    softcap: float | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """`project(module, attention, arguments)`: Tunix's module, its Attention, the arguments of `block` by name.

    `output` is the attribute of the projection that takes the values, [batch, length, heads, dim]. `lends`: the block
    returns keys and values too, for layers that have none of their own.
    """

    project: Callable[[ModuleType, Any, Mapping[str, Any]], Projected]
    output: str
    lends: bool = False


def finish(module: ModuleType, attention: Any, layer: Layer, values: Any) -> Any:
    """The result of the layer, [batch, length, embed], from the values [batch, length, heads, dim]."""
    return _shard(module, getattr(attention, layer.output)(values), _axes(attention).act_btd)


def _axes(attention: Any) -> Any:
    return attention.shd_config if hasattr(attention, "shd_config") else attention.config.shd_config


def _shard(module: ModuleType, x: Any, axes: Any) -> Any:
    place: Any = module if hasattr(module, "shard") else module.sharding_utils
    return place.shard(x, axes)


def _by_head(module: ModuleType, attention: Any, *arrays: Any) -> list[Any]:
    return [_shard(module, x, _axes(attention).act_btnh) for x in arrays]


def _qwen2(module: ModuleType, attention: Any, given: Mapping[str, Any]) -> Projected:
    x = given["x"]

    def biased(name: str) -> Any:
        made = getattr(attention, f"{name}_proj")(x)
        bias = getattr(attention, f"{name}_bias").astype(attention.config.dtype)
        return made + bias.reshape(made.shape[2:])

    queries, keys, values = _by_head(module, attention, *(biased(name) for name in "qkv"))
    queries, keys = (module.apply_rotary_embedding(y, given["sin"], given["cos"]) for y in (queries, keys))
    return Projected(queries * attention.scale, keys, values)


def _qwen3(module: ModuleType, attention: Any, given: Mapping[str, Any]) -> Projected:
    x = given["x"]
    projected = attention.q_norm(attention.q_proj(x)), attention.k_norm(attention.k_proj(x)), attention.v_proj(x)
    return _rotated(module, attention, given["segment_pos"], *projected)


def _llama3(module: ModuleType, attention: Any, given: Mapping[str, Any]) -> Projected:
    x = given["x"]
    projected = attention.q_proj(x), attention.k_proj(x), attention.v_proj(x)
    return _rotated(module, attention, given["segment_pos"], *projected)


def _rotated(module: ModuleType, attention: Any, positions: Any, queries: Any, keys: Any, values: Any) -> Projected:
    queries, keys, values = _by_head(module, attention, queries, keys, values)
    queries, keys = (module.apply_rope(y, positions, head_dim=attention.head_dim) for y in (queries, keys))
    return Projected(queries * attention.scale, keys, values)


def _gemma2(module: ModuleType, attention: Any, given: Mapping[str, Any]) -> Projected:
    queries, keys, values = _by_head(module, attention, *_gemma_projections(attention, given["x"]))
    positions = given["segment_pos"]
    queries, keys = (module.apply_rope(y, positions, head_dim=attention.head_dim) for y in (queries, keys))
    scale = attention.head_dim**-0.5
    softcap = attention.attn_logits_soft_cap
    return Projected(queries * scale, keys, values, _gemma_window(module, attention), softcap)


def _gemma3(module: ModuleType, attention: Any, given: Mapping[str, Any]) -> Projected:
    queries, keys, values = _by_head(module, attention, *_gemma_projections(attention, given["x"]))
    rope = {
        "head_dim": attention.head_dim,
        "base_frequency": attention.rope_base_frequency,
        "scale_factor": attention.rope_scale_factor,
    }
    queries = module.apply_rope(attention._query_norm(queries), given["segment_pos"], **rope)
    keys = module.apply_rope(attention._key_norm(keys), given["segment_pos"], **rope)
    return Projected(queries * attention.query_pre_attn_scalar, keys, values, _gemma_window(module, attention))


def _gemma4(module: ModuleType, attention: Any, given: Mapping[str, Any]) -> Projected:
    """Keys and values are those of another layer where one lends them; values are normed, scores are not scaled."""
    x = given["x"].astype(attention.config.dtype)
    rope = {
        "base_frequency": attention.rope_base_frequency,
        "scale_factor": attention.rope_scale_factor,
        "rope_proportion": attention.rope_proportion,
    }
    (queries,) = _by_head(module, attention, attention.q_einsum(x))
    queries = module.apply_rope(attention._query_norm(queries), given["segment_pos"], **rope)
    lent = given.get("kv_shared_cache")
    if lent is not None:
        keys, values = lent["k"], lent["v"]
    else:
        keys, values = _by_head(module, attention, *attention.kv_einsum(x))
        size = module.jnp.mean(module.jnp.square(values), axis=-1, keepdims=True)
        values = values * module.jax.lax.rsqrt(size + 1e-6)
        keys = module.apply_rope(attention._key_norm(keys), given["segment_pos"], **rope)
    local = attention.attn_type == module.AttentionType.LOCAL_SLIDING
    return Projected(queries, keys, values, int(attention.config.sliding_window_size) if local else None)


def _gemma_projections(attention: Any, x: Any) -> tuple[Any, Any, Any]:
    if attention.use_qkv_einsum:
        queries, keys, values = attention.qkv_einsum(x)
    else:
        queries, (keys, values) = attention.q_einsum(x), attention.kv_einsum(x)
    return queries, keys, values


def _gemma_window(module: ModuleType, attention: Any) -> int | None:
    """Tokens that a local layer sees; None for a layer that sees all."""
    local = attention.attn_type == module.AttentionType.LOCAL_SLIDING
    return int(attention.sliding_window_size) if local else None


LAYERS: dict[str, Layer] = {
    "tunix.models.qwen2.model": Layer(_qwen2, "o_proj"),
    "tunix.models.qwen3.model": Layer(_qwen3, "o_proj"),
    "tunix.models.llama3.model": Layer(_llama3, "o_proj"),
    "tunix.models.gemma.model": Layer(_gemma2, "attn_vec_einsum"),
    "tunix.models.gemma3.model": Layer(_gemma3, "attn_vec_einsum"),
    "tunix.models.gemma4.model": Layer(_gemma4, "attn_vec_einsum", lends=True),
}
