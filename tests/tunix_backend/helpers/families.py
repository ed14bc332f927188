"""Tiny checkpoints of every family in Hugging Face layout, and their forward pass in NumPy to compare Tunix with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tunixrt_core.tunix_backend.model.rope import inverse_frequencies
from tunixrt_core.tunix_backend.model.tiny import write_builtin_model

LAYERS, VOCAB, DIM, HIDDEN, HEADS, KV_HEADS, HEAD_DIM = 2, 512, 48, 64, 4, 2, 16

KINDS = ("qwen2", "qwen3", "llama", "gemma2", "gemma3_text")


def write_checkpoint(directory: Path, kind: str, *, tied: bool = True, **config: Any) -> dict[str, Any]:
    """Random weights, config and tokenizer of a model of this type. Returns the config."""
    from safetensors.numpy import save_file

    write_builtin_model("tiny-micro", directory.parent / "tokenizer-source")
    directory.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (directory / name).write_bytes((directory.parent / "tokenizer-source" / name).read_bytes())
    written = config_of(kind, tied=tied, **config)
    (directory / "config.json").write_text(json.dumps(written))
    held = weights(kind, tied, written["num_hidden_layers"], written["num_key_value_heads"])
    save_file(held, str(directory / "model.safetensors"))
    return written


def config_of(kind: str, *, tied: bool = True, **changes: Any) -> dict[str, Any]:
    """config.json of such a model."""
    config: dict[str, Any] = {
        "model_type": kind,
        "vocab_size": VOCAB,
        "hidden_size": DIM,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0,
        "tie_word_embeddings": tied,
        "max_position_embeddings": 512,
    }
    if kind == "gemma3_text":
        config |= {"query_pre_attn_scalar": HEAD_DIM, "sliding_window": 8, "rope_local_base_freq": 10_000.0}
    if kind == "gemma2":
        config |= {"query_pre_attn_scalar": HEAD_DIM, "sliding_window": 8, "rope_theta": 10_000.0}
        config |= {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 1.5}  # small enough to bite
    return config | changes


def weights(kind: str, tied: bool = True, layers: int = LAYERS, kv_heads: int = KV_HEADS) -> dict[str, Any]:
    """Random weights under their Hugging Face names."""
    rng = np.random.RandomState(7)

    def normal(*shape: int) -> Any:
        return (rng.standard_normal(shape) * 0.1).astype(np.float32)

    out: dict[str, Any] = {"model.embed_tokens.weight": normal(VOCAB, DIM), "model.norm.weight": 1 + normal(DIM)}
    for i in range(layers):
        layer = f"model.layers.{i}"
        for name, rows in (("q", HEADS), ("k", kv_heads), ("v", kv_heads)):
            out[f"{layer}.self_attn.{name}_proj.weight"] = normal(rows * HEAD_DIM, DIM)
            if kind == "qwen2":
                out[f"{layer}.self_attn.{name}_proj.bias"] = normal(rows * HEAD_DIM)
        out[f"{layer}.self_attn.o_proj.weight"] = normal(DIM, HEADS * HEAD_DIM)
        if kind in ("qwen3", "gemma3_text"):
            out[f"{layer}.self_attn.q_norm.weight"] = 1 + normal(HEAD_DIM)
            out[f"{layer}.self_attn.k_norm.weight"] = 1 + normal(HEAD_DIM)
        out[f"{layer}.mlp.gate_proj.weight"] = normal(HIDDEN, DIM)
        out[f"{layer}.mlp.up_proj.weight"] = normal(HIDDEN, DIM)
        out[f"{layer}.mlp.down_proj.weight"] = normal(DIM, HIDDEN)
        for norm in _NORMS[kind]:
            out[f"{layer}.{norm}.weight"] = 1 + normal(DIM)
    if not tied:
        out["lm_head.weight"] = normal(VOCAB, DIM)
    return out


_TWO = ("input_layernorm", "post_attention_layernorm")
_FOUR = (*_TWO, "pre_feedforward_layernorm", "post_feedforward_layernorm")
_NORMS = {"qwen2": _TWO, "qwen3": _TWO, "llama": _TWO, "gemma2": _FOUR, "gemma3_text": _FOUR}


def reference_logits(w: dict[str, Any], config: dict[str, Any], tokens: Any) -> Any:
    """Logits [length, vocab] of one sequence, computed in float64 from the definition of the architecture."""
    gemma = config["model_type"].startswith("gemma")

    def norm(x: Any, name: str) -> Any:
        scale = w[f"{name}.weight"].astype(np.float64)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + config["rms_norm_eps"])
        return x * (1 + scale if gemma else scale)

    def linear(x: Any, name: str) -> Any:
        return x @ w[f"{name}.weight"].T.astype(np.float64) + w.get(f"{name}.bias", 0.0)

    embedding = w["model.embed_tokens.weight"].astype(np.float64)
    x = embedding[tokens] * (np.sqrt(DIM) if gemma else 1.0)
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}"
        attended = _attention(norm(x, f"{layer}.input_layernorm"), layer, i, config, norm, linear)
        if gemma:
            x = x + norm(attended, f"{layer}.post_attention_layernorm")
            fed = _mlp(norm(x, f"{layer}.pre_feedforward_layernorm"), layer, linear, gemma)
            x = x + norm(fed, f"{layer}.post_feedforward_layernorm")
        else:
            x = x + attended
            x = x + _mlp(norm(x, f"{layer}.post_attention_layernorm"), layer, linear, gemma)
    x = norm(x, "model.norm")
    return _capped(x @ w.get("lm_head.weight", embedding).T, config.get("final_logit_softcapping"))


def _capped(x: Any, cap: float | None) -> Any:
    return x if cap is None else np.tanh(x / cap) * cap


def _is_local(i: int, config: dict[str, Any]) -> bool:
    """Whether layer i sees a window only."""
    if "layer_types" in config:
        return bool(config["layer_types"][i] == "sliding_attention")
    return {"gemma2": i % 2 == 0, "gemma3_text": (i + 1) % 6 != 0}.get(config["model_type"], False)


def _mlp(x: Any, layer: str, linear: Any, gemma: bool) -> Any:
    gate = linear(x, f"{layer}.mlp.gate_proj")
    if gemma:
        active = 0.5 * gate * (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3)))
    else:
        active = gate / (1 + np.exp(-gate))
    return linear(active * linear(x, f"{layer}.mlp.up_proj"), f"{layer}.mlp.down_proj")


def _attention(x: Any, layer: str, i: int, config: dict[str, Any], norm: Any, linear: Any) -> Any:
    length, kv_heads = len(x), config["num_key_value_heads"]
    q = linear(x, f"{layer}.self_attn.q_proj").reshape(length, HEADS, HEAD_DIM)
    k = linear(x, f"{layer}.self_attn.k_proj").reshape(length, kv_heads, HEAD_DIM)
    v = linear(x, f"{layer}.self_attn.v_proj").reshape(length, kv_heads, HEAD_DIM)
    if config["model_type"] in ("qwen3", "gemma3_text"):
        q, k = norm(q, f"{layer}.self_attn.q_norm"), norm(k, f"{layer}.self_attn.k_norm")
    local = _is_local(i, config)
    if local and "rope_local_base_freq" in config:
        frequencies = np.array(inverse_frequencies(HEAD_DIM, config["rope_local_base_freq"], None))
    else:
        frequencies = np.array(inverse_frequencies(HEAD_DIM, config["rope_theta"], config.get("rope_scaling")))
    q, k = _rotate(q, frequencies), _rotate(k, frequencies)
    k, v = np.repeat(k, HEADS // kv_heads, 1), np.repeat(v, HEADS // kv_heads, 1)
    scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(HEAD_DIM)
    scores = _capped(scores, config.get("attn_logit_softcapping"))
    behind = np.arange(length)[:, None] - np.arange(length)[None, :]
    seen = (behind >= 0) & ((behind < config["sliding_window"]) if local else True)
    scores = np.where(seen, scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    mixed = np.einsum("hqk,khd->qhd", shares, v).reshape(length, HEADS * HEAD_DIM)
    return linear(mixed, f"{layer}.self_attn.o_proj")


def _rotate(x: Any, frequencies: Any) -> Any:
    angles = np.arange(len(x))[:, None, None] * frequencies
    first, second = np.split(x, 2, axis=-1)
    sin, cos = np.sin(angles), np.cos(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
