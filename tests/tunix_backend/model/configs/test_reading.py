"""From config.json to the sizes of a model, or to a sentence that says what Tunix would leave out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.helpers.families import HEAD_DIM, KINDS, VOCAB, config_of, layers_of
from tunixrt_core.errors import ModelError
from tunixrt_core.tunix_backend.model.architecture import Experts, Gemma4, Rope
from tunixrt_core.tunix_backend.model.configs.reading import architecture_of, read_architecture


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_is_read(kind: str) -> None:
    found = architecture_of(config_of(kind))
    sizes = (kind, layers_of(kind), 4, 2, HEAD_DIM)
    assert (found.kind, found.layers, found.heads, found.kv_heads, found.head_dim) == sizes
    assert found.tied


@pytest.mark.parametrize(
    ("kind", "change", "named"),
    [
        ("qwen3", {"model_type": "mamba"}, "mamba"),
        ("qwen3_moe", {"norm_topk_prob": False}, "norm_topk_prob = False"),
        ("qwen3_moe", {"mlp_only_layers": [0]}, r"mlp_only_layers = \[0\]"),
        ("qwen3_moe", {"decoder_sparse_step": 2}, "decoder_sparse_step"),
        ("qwen3_moe", {"num_experts_per_tok": 5}, "5 experts per token, but the model has 4"),
        ("qwen3_moe", {"num_experts": None}, "num_local_experts is None"),
        ("gemma4_text", {"enable_moe_block": True}, "enable_moe_block"),
        ("gemma4_text", {"attention_k_eq_v": True}, "attention_k_eq_v"),
        ("gemma4_text", {"use_bidirectional_attention": "all"}, "use_bidirectional_attention"),
        ("gemma4_text", {"num_kv_shared_layers": 3}, "the 1 layers before have no keys"),
        ("gemma4_text", {"num_kv_shared_layers": -1}, "num_kv_shared_layers is -1"),
        ("gemma4_text", {"vocab_size_per_layer_input": 7}, "vocab_size_per_layer_input"),
        ("gemma4_text", {"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}, "rope_parameters"),
        ("qwen3", {"model_type": None}, "None"),
        ("qwen3", {"attention_bias": True}, "attention_bias"),
        ("qwen3", {"attention_dropout": 0.1}, "attention_dropout"),
        ("qwen3", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "yarn"),
        ("qwen3", {"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ("qwen3", {"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
        ("qwen3", {"quantization_config": {"quant_method": "gptq"}}, "method qlora"),
        ("qwen3", {"num_key_value_heads": 3}, "4 heads of 16, 3 for keys"),
        ("qwen2", {"rope_scaling": {"rope_type": "linear"}}, "has no factor"),
        ("qwen2", {"use_sliding_window": True}, "use_sliding_window"),
        ("qwen2", {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
        ("llama", {"mlp_bias": True}, "mlp_bias"),
        ("llama", {"hidden_size": None}, "hidden_size is None"),
        ("llama", {"num_hidden_layers": 10**9}, "num_hidden_layers is 1,000,000,000, but no model has more than 1,024"),
        ("gemma3_text", {"num_hidden_layers": True}, "num_hidden_layers is True"),
        ("gemma2", {"vocab_size": 1 << 40}, "vocab_size is 1,099,511,627,776"),
        ("qwen2", {"head_dim": 1 << 40}, "head_dim is 1,099,511,627,776"),
        ("qwen2", {"rope_theta": "high"}, "cannot be read"),
        ("qwen3", {"rope_parameters": [1e4]}, "cannot be read"),
        ("gemma3_text", {"layer_types": 7}, "cannot be read"),
        ("gemma3", {"text_config": "none"}, "cannot be read"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act"),
        ("gemma2", {"query_pre_attn_scalar": 144}, "query_pre_attn_scalar"),
        ("gemma2", {"attn_logit_softcapping": -1}, "attn_logit_softcapping"),
        ("gemma2", {"rms_norm_eps": 1e-5}, "rms_norm_eps"),
        ("gemma2", {"tie_word_embeddings": False}, "tie_word_embeddings"),
        ("gemma2", {"layer_types": ["full_attention"]}, "layer_types"),
        ("gemma3_text", {"final_logit_softcapping": 30.0}, "final_logit_softcapping"),
        ("gemma3_text", {"query_pre_attn_scalar": 7}, "query_pre_attn_scalar"),
        ("gemma3_text", {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "rope_scaling"),
        ("gemma3_text", {"rope_scaling": {"rope_type": "linear", "factor": 0.5}}, "factor"),
        ("gemma3_text", {"use_bidirectional_attention": True}, "use_bidirectional_attention"),
        ("gemma3_text", {"layer_types": ["full_attention", "chunked_attention"]}, "layer_types"),
    ],
)
def test_what_tunix_would_ignore_is_refused_by_name(kind: str, change: dict[str, Any], named: str) -> None:
    with pytest.raises(ModelError, match=named):
        architecture_of(config_of(kind) | change)


def test_a_mixture_without_a_word_on_its_shares_is_refused_as_transformers_reads_it() -> None:
    config = config_of("qwen3_moe")
    del config["norm_topk_prob"]
    with pytest.raises(ModelError, match="norm_topk_prob = False"):
        architecture_of(config)


def test_experts_are_counted_under_the_name_of_either_version_of_transformers() -> None:
    config = config_of("qwen3_moe")
    config["num_local_experts"] = config.pop("num_experts")
    assert architecture_of(config) == architecture_of(config_of("qwen3_moe"))
    assert architecture_of(config).experts == Experts(4, 2)


def test_a_gemma_4_config_that_names_only_its_sizes_has_the_defaults_of_the_family() -> None:
    sizes = {"hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 30, "vocab_size": VOCAB}
    found = architecture_of({"model_type": "gemma4_text", "vocab_size_per_layer_input": VOCAB, **sizes})
    assert found.local_layers == (True, True, True, True, True, False) * 5
    assert (found.heads, found.kv_heads, found.window, found.logit_softcap, found.tied) == (8, 4, 512, None, True)
    assert found.gemma4 == Gemma4(global_head_dim=512, borrowing=0, borrowing_hidden_dim=9216, per_layer_dim=256)
    assert found.local_rope == Rope(10_000.0)
    assert (found.rope.theta, found.rope.frequencies(512)[63], found.rope.frequencies(512)[64]) == (
        1e6,
        pytest.approx(1e6 ** (-126 / 512)),
        0.0,
    )


def test_a_layer_of_gemma_4_borrows_from_the_last_one_of_its_kind() -> None:
    kinds = ["full_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
    changes = {"layer_types": [*kinds, "full_attention"], "num_kv_shared_layers": 3}
    found = architecture_of(config_of("gemma4_text", num_hidden_layers=6, **changes))
    assert [found.lender(i) for i in range(6)] == [0, 1, 2, 0, 2, 0]
    assert [found.hidden_dim_of(i) for i in range(6)] == [64, 64, 64, 128, 128, 128]
    assert [found.head_dim_of(i) for i in range(6)] == [32, 16, 16, 32, 16, 32]


def test_a_family_that_cannot_be_trained_is_named_with_those_that_can() -> None:
    for kind, name in {"mistral": "Mistral", "phi3": "Phi3", "olmo2": "Olmo2", "granite": "Granite"}.items():
        config = {"model_type": kind, "architectures": [f"{name}ForCausalLM"], "hidden_size": 8}
        with pytest.raises(
            ModelError, match=rf"a {name}ForCausalLM \(model_type '{kind}'\), which this version"
        ) as told:
            architecture_of(config)
        assert "Qwen 3 MoE [qwen3_moe], Llama 3 [llama]" in str(told.value)
        assert "Gemma 3 [gemma3_text, gemma3]" in str(told.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"[" * 100_000, "is not JSON"), (b"7", "is not a model's config"), (b" " * (5 << 20), "is larger than")],
    ids=["deep", "a number", "large"],
)
def test_a_config_that_is_none_is_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ModelError, match=said):
        read_architecture(tmp_path)


def test_gemma_2_sees_a_window_in_every_other_layer_from_the_first_on() -> None:
    found = architecture_of(config_of("gemma2", num_hidden_layers=4))
    assert found.local_layers == (True, False, True, False)
    assert (found.window, found.attention_softcap, found.logit_softcap) == (8, 2.0, 1.5)


def test_a_gemma_2_config_that_names_only_its_sizes_has_the_defaults_of_the_family() -> None:
    sizes = {"hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8}
    found = architecture_of({"model_type": "gemma2", "vocab_size": 256000, **sizes})
    assert (found.window, found.attention_softcap, found.logit_softcap) == (4096, 50.0, 30.0)
    assert (found.head_dim, found.kv_heads, found.rope.theta, found.tied) == (256, 4, 10_000.0, True)


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_theta": 5e5, "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "rope_local_base_freq": 1e4},
        {
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 5e5},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            }
        },
    ],
    ids=["as transformers 4 writes it", "as transformers 5 writes it"],
)
def test_gemma_3_has_another_base_in_its_local_layers(rope: dict[str, Any]) -> None:
    config = {key: value for key, value in config_of("gemma3_text").items() if not key.startswith("rope")}
    found = architecture_of({**config, "num_hidden_layers": 7, **rope})
    assert found.local_layers == (True,) * 5 + (False, True)
    assert found.local_rope is not None
    assert (found.local_rope.theta, found.local_rope.scaling) == (1e4, None)
    assert found.rope.theta == 5e5
    assert found.rope.scaling is not None
    assert found.rope.scaling["factor"] == 8.0


def test_a_gemma_3_that_sees_pictures_is_read_by_its_text_part() -> None:
    text = {key: value for key, value in config_of("gemma3_text").items() if key != "vocab_size"}
    found = architecture_of({"model_type": "gemma3", "text_config": text, "vision_config": {}})
    assert (found.kind, found.vocab_size) == ("gemma3", None)


def test_a_directory_without_a_readable_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        read_architecture(tmp_path)
    for content, named in (("not json", "is not JSON"), (json.dumps([1]), "not a model's config")):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(ModelError, match=named):
            read_architecture(tmp_path)
