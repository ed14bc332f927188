"""Tiny checkpoints of every family in Hugging Face layout, and their forward pass in NumPy to compare Tunix with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tunixrt_core.tunix_backend.model.corrected.rope import inverse_frequencies
from tunixrt_core.tunix_backend.model.tiny import write_builtin_model

LAYERS, VOCAB, DIM, HIDDEN, HEADS, KV_HEADS, HEAD_DIM = 2, 512, 48, 64, 4, 2, 16

EXPERTS, EXPERTS_PER_TOKEN, EXPERT_HIDDEN = 4, 2, 32
# of Gemma 4: size of a head in the layers that see everything, of the embedding per layer, and the layers that borrow
GLOBAL_HEAD_DIM, PER_LAYER, BORROWING = 32, 8, 2

KINDS = ("qwen2", "qwen3", "qwen3_moe", "llama", "gemma2", "gemma3_text", "gemma4_text")


def layers_of(kind: str) -> int:
    """The number of layers of such a model, where a test asks for no other."""
    return 4 if kind == "gemma4_text" else LAYERS


def write_checkpoint(directory: Path, kind: str, *, tied: bool = True, **config: Any) -> dict[str, Any]:
    """Random weights, config and tokenizer of a model of this type. Returns the config."""
    from safetensors.numpy import save_file

    write_builtin_model("tiny-micro", directory.parent / "tokenizer-source")
    directory.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (directory / name).write_bytes((directory.parent / "tokenizer-source" / name).read_bytes())
    written = config_of(kind, tied=tied, **config)
    (directory / "config.json").write_text(json.dumps(written))
    held = weights(kind, tied, written["num_hidden_layers"], written["num_key_value_heads"], written)
    save_file(held, str(directory / "model.safetensors"))
    return written


def config_of(kind: str, *, tied: bool = True, **changes: Any) -> dict[str, Any]:
    """config.json of such a model."""
    config: dict[str, Any] = {
        "model_type": kind,
        "vocab_size": VOCAB,
        "hidden_size": DIM,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": layers_of(kind),
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0,
        "tie_word_embeddings": tied,
        "max_position_embeddings": 512,
    }
    if kind == "qwen3_moe":
        config |= {"num_experts": EXPERTS, "num_experts_per_tok": EXPERTS_PER_TOKEN, "norm_topk_prob": True}
        config |= {"moe_intermediate_size": EXPERT_HIDDEN}
    if kind == "gemma4_text":
        del config["rope_theta"]
        config |= {"global_head_dim": GLOBAL_HEAD_DIM, "sliding_window": 8, "num_kv_shared_layers": BORROWING}
        config |= {"hidden_size_per_layer_input": PER_LAYER, "vocab_size_per_layer_input": VOCAB}
        config |= {"layer_types": ["sliding_attention", "full_attention"] * 2, "use_double_wide_mlp": True}
        config |= {"final_logit_softcapping": 1.5}
    if kind == "gemma3_text":
        config |= {"query_pre_attn_scalar": HEAD_DIM, "sliding_window": 8, "rope_local_base_freq": 10_000.0}
    if kind == "gemma2":
        config |= {"query_pre_attn_scalar": HEAD_DIM, "sliding_window": 8, "rope_theta": 10_000.0}
        config |= {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 1.5}  # small enough to bite
    return config | changes


def weights(
    kind: str,
    tied: bool = True,
    layers: int | None = None,
    kv_heads: int = KV_HEADS,
    config: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Random weights under their Hugging Face names; `config` is that of `config_of` where a test changes it."""
    rng = np.random.RandomState(7)
    config = config or config_of(kind, tied=tied)
    layers = layers or int(config["num_hidden_layers"])

    def normal(*shape: int) -> Any:
        return (rng.standard_normal(shape) * 0.1).astype(np.float32)

    out: dict[str, Any] = {"model.embed_tokens.weight": normal(VOCAB, DIM), "model.norm.weight": 1 + normal(DIM)}
    if kind == "gemma4_text":
        out["model.embed_tokens_per_layer.weight"] = normal(VOCAB, layers * PER_LAYER)
        out["model.per_layer_model_projection.weight"] = normal(layers * PER_LAYER, DIM)
        out["model.per_layer_projection_norm.weight"] = 1 + normal(PER_LAYER)
    for i in range(layers):
        wide = kind == "gemma4_text" and not _is_local(i, config)
        lends = i < layers - config.get("num_kv_shared_layers", 0)
        of_layer = {
            **_attention_weights(kind, GLOBAL_HEAD_DIM if wide else HEAD_DIM, kv_heads if lends else 0, normal),
            **_mlp_weights(kind, HIDDEN if lends else 2 * HIDDEN, normal),
            **{f"{norm}.weight": 1 + normal(DIM) for norm in _NORMS[kind]},
        }
        if kind == "gemma4_text":
            of_layer["layer_scalar"] = 1 + normal(1)
            of_layer["per_layer_input_gate.weight"] = normal(PER_LAYER, DIM)
            of_layer["per_layer_projection.weight"] = normal(DIM, PER_LAYER)
            of_layer["post_per_layer_input_norm.weight"] = 1 + normal(DIM)
        out |= {f"model.layers.{i}.{name}": value for name, value in of_layer.items()}
    if not tied:
        out["lm_head.weight"] = normal(VOCAB, DIM)
    return out


def _attention_weights(kind: str, size: int, kv_heads: int, normal: Any) -> dict[str, Any]:
    """`size` is that of a head; without heads for keys and values the layer borrows them."""
    out: dict[str, Any] = {}
    for name, heads in (("q", HEADS), ("k", kv_heads), ("v", kv_heads)):
        if heads:
            out[f"self_attn.{name}_proj.weight"] = normal(heads * size, DIM)
        if kind == "qwen2":
            out[f"self_attn.{name}_proj.bias"] = normal(heads * size)
    out["self_attn.o_proj.weight"] = normal(DIM, HEADS * size)
    if kind in _NORMED_HEADS:
        out |= {f"self_attn.{name}_norm.weight": 1 + normal(size) for name in ("qk" if kv_heads else "q")}
    if kind == "gemma4_text":  # which does not divide scores by the root of a head's size, but learns to
        out["self_attn.q_norm.weight"] = out["self_attn.q_norm.weight"] / np.float32(np.sqrt(size))
    return out


def _mlp_weights(kind: str, hidden: int, normal: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    places = [""]
    if kind == "qwen3_moe":
        out["mlp.gate.weight"] = normal(EXPERTS, DIM)
        places, hidden = [f"experts.{j}." for j in range(EXPERTS)], EXPERT_HIDDEN
    for place in places:
        out |= {f"mlp.{place}{name}_proj.weight": normal(hidden, DIM) for name in ("gate", "up")}
        out[f"mlp.{place}down_proj.weight"] = normal(DIM, hidden)
    return out


_TWO = ("input_layernorm", "post_attention_layernorm")
_FOUR = (*_TWO, "pre_feedforward_layernorm", "post_feedforward_layernorm")
_NORMS = {kind: _FOUR if kind.startswith("gemma") else _TWO for kind in KINDS}
_NORMED_HEADS = ("qwen3", "qwen3_moe", "gemma3_text", "gemma4_text")


def reference_logits(w: dict[str, Any], config: dict[str, Any], tokens: Any) -> Any:
    """Logits [length, vocab] of one sequence, computed in float64 from the definition of the architecture."""
    kind = config["model_type"]
    gemma = kind.startswith("gemma")

    def norm(x: Any, name: str) -> Any:
        scale = w[f"{name}.weight"].astype(np.float64) if name else 1.0
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + config["rms_norm_eps"])
        return x * (1 + scale if kind in ("gemma2", "gemma3_text") else scale)

    def linear(x: Any, name: str) -> Any:
        return x @ w[f"{name}.weight"].T.astype(np.float64) + w.get(f"{name}.bias", 0.0)

    embedding = w["model.embed_tokens.weight"].astype(np.float64)
    x = embedding[tokens] * (np.sqrt(DIM) if gemma else 1.0)
    each_layer = _per_layer_inputs(w, x, tokens, norm, linear) if kind == "gemma4_text" else None
    lent: dict[bool, tuple[Any, Any]] = {}
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}"
        attended = _attention(norm(x, f"{layer}.input_layernorm"), layer, i, config, norm, linear, lent)
        if gemma:
            x = x + norm(attended, f"{layer}.post_attention_layernorm")
            fed = _mlp(norm(x, f"{layer}.pre_feedforward_layernorm"), layer, linear, gemma)
            x = x + norm(fed, f"{layer}.post_feedforward_layernorm")
        else:
            x = x + attended
            feed = _experts if kind == "qwen3_moe" else _mlp
            x = x + feed(norm(x, f"{layer}.post_attention_layernorm"), layer, linear, gemma)
        if each_layer is not None:
            gate = _gelu(linear(x, f"{layer}.per_layer_input_gate")) * each_layer[:, i]
            x = x + norm(linear(gate, f"{layer}.per_layer_projection"), f"{layer}.post_per_layer_input_norm")
            x = x * w[f"{layer}.layer_scalar"].astype(np.float64)
    x = norm(x, "model.norm")
    return _capped(x @ w.get("lm_head.weight", embedding).T, config.get("final_logit_softcapping"))


def _per_layer_inputs(w: dict[str, Any], x: Any, tokens: Any, norm: Any, linear: Any) -> Any:
    """What Gemma 4 adds in each layer, [length, layers, PER_LAYER]: of the token itself, and of its embedding."""
    table = w["model.embed_tokens_per_layer.weight"].astype(np.float64)
    itself = table[tokens].reshape(len(x), -1, PER_LAYER) * np.sqrt(PER_LAYER)
    seen = linear(x, "model.per_layer_model_projection").reshape(len(x), -1, PER_LAYER) / np.sqrt(DIM)
    return (itself + norm(seen, "model.per_layer_projection_norm")) / np.sqrt(2)


def _experts(x: Any, layer: str, linear: Any, gemma: bool) -> Any:
    """Each token goes through the experts that its router rates highest, by their shares among these."""
    scores = linear(x, f"{layer}.mlp.gate")
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    out = np.zeros_like(x)
    for row, share in enumerate(shares):
        best = np.argsort(-share)[:EXPERTS_PER_TOKEN]
        for j in best:
            inside = lambda value, name, j=j: linear(value, name.replace(".mlp.", f".mlp.experts.{j}."))  # noqa: E731
            out[row] += share[j] / share[best].sum() * _mlp(x[row], layer, inside, gemma)
    return out


def _capped(x: Any, cap: float | None) -> Any:
    return x if cap is None else np.tanh(x / cap) * cap


def _is_local(i: int, config: dict[str, Any]) -> bool:
    """Whether layer i sees a window only."""
    if "layer_types" in config:
        return bool(config["layer_types"][i] == "sliding_attention")
    return {"gemma2": i % 2 == 0, "gemma3_text": (i + 1) % 6 != 0}.get(config["model_type"], False)


def _gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def _mlp(x: Any, layer: str, linear: Any, gemma: bool) -> Any:
    gate = linear(x, f"{layer}.mlp.gate_proj")
    active = _gelu(gate) if gemma else gate / (1 + np.exp(-gate))
    return linear(active * linear(x, f"{layer}.mlp.up_proj"), f"{layer}.mlp.down_proj")


def _attention(x: Any, layer: str, i: int, config: dict[str, Any], norm: Any, linear: Any, lent: Any) -> Any:
    """`lent`: Gemma 4's keys and values of the last layer of each kind that has its own."""
    length, kv_heads, local = len(x), config["num_key_value_heads"], _is_local(i, config)
    gemma4 = config["model_type"] == "gemma4_text"
    size = GLOBAL_HEAD_DIM if gemma4 and not local else HEAD_DIM
    frequencies = _frequencies(config, local)
    q = linear(x, f"{layer}.self_attn.q_proj").reshape(length, HEADS, size)
    if config["model_type"] in _NORMED_HEADS:
        q = norm(q, f"{layer}.self_attn.q_norm")
    if gemma4 and i >= config["num_hidden_layers"] - config["num_kv_shared_layers"]:
        k, v = lent[local]
    else:
        k = linear(x, f"{layer}.self_attn.k_proj").reshape(length, kv_heads, size)
        v = linear(x, f"{layer}.self_attn.v_proj").reshape(length, kv_heads, size)
        if config["model_type"] in _NORMED_HEADS:
            k = norm(k, f"{layer}.self_attn.k_norm")
        k, v = _rotate(k, frequencies), norm(v, "") if gemma4 else v
        lent[local] = k, v
    q = _rotate(q, frequencies)
    k, v = np.repeat(k, HEADS // kv_heads, 1), np.repeat(v, HEADS // kv_heads, 1)
    scores = np.einsum("qhd,khd->hqk", q, k) / (1.0 if gemma4 else np.sqrt(HEAD_DIM))
    scores = _capped(scores, config.get("attn_logit_softcapping"))
    behind = np.arange(length)[:, None] - np.arange(length)[None, :]
    seen = (behind >= 0) & ((behind < config["sliding_window"]) if local else True)
    scores = np.where(seen, scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    mixed = np.einsum("hqk,khd->qhd", shares, v).reshape(length, HEADS * size)
    return linear(mixed, f"{layer}.self_attn.o_proj")


def _frequencies(config: dict[str, Any], local: bool) -> Any:
    if config["model_type"] == "gemma4_text":
        if local:
            return np.array(inverse_frequencies(HEAD_DIM, 10_000.0, None))
        given = config.get("rope_parameters", {}).get("full_attention", {})
        turning = int(given.get("partial_rotary_factor", 0.25) * GLOBAL_HEAD_DIM // 2)
        plain = given.get("rope_theta", 1e6) ** (-2 * np.arange(GLOBAL_HEAD_DIM // 2) / GLOBAL_HEAD_DIM)
        return np.where(np.arange(GLOBAL_HEAD_DIM // 2) < turning, plain / given.get("factor", 1.0), 0.0)
    if local and "rope_local_base_freq" in config:
        return np.array(inverse_frequencies(HEAD_DIM, config["rope_local_base_freq"], None))
    return np.array(inverse_frequencies(HEAD_DIM, config["rope_theta"], config.get("rope_scaling")))


def _rotate(x: Any, frequencies: Any) -> Any:
    angles = np.arange(len(x))[:, None, None] * frequencies
    first, second = np.split(x, 2, axis=-1)
    sin, cos = np.sin(angles), np.cos(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
