"""The configs of published models are read to the sizes that Tunix has for these models, and to their parameters."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from tunixrt_core.tunix_backend.model.configs.reading import architecture_of
from tunixrt_core.tunix_backend.model.files.expected import idle_parameters, parameter_count

_GEMMA_4 = {
    "attention_k_eq_v": False,
    "enable_moe_block": False,
    "final_logit_softcapping": 30.0,
    "global_head_dim": 512,
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size_per_layer_input": 256,
    "num_attention_heads": 8,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {
        "full_attention": {"partial_rotary_factor": 0.25, "rope_theta": 1_000_000.0, "rope_type": "proportional"},
        "sliding_attention": {"rope_theta": 10_000.0, "rope_type": "default"},
    },
    "sliding_window": 512,
    "tie_word_embeddings": True,
    "vocab_size": 262_144,
    "vocab_size_per_layer_input": 262_144,
}
_LOCAL, _GLOBAL = "sliding_attention", "full_attention"

# What the config.json of each says of its text, the preset of Tunix, and the parameters: all, and those a token meets.
PUBLISHED: dict[str, tuple[dict[str, Any], tuple[str, str], tuple[float, float]]] = {
    "google/gemma-4-E2B-it": (
        {
            "model_type": "gemma4",
            "text_config": {
                **_GEMMA_4,
                "hidden_size": 1536,
                "intermediate_size": 6144,
                "layer_types": ([_LOCAL] * 4 + [_GLOBAL]) * 7,
                "num_hidden_layers": 35,
                "num_key_value_heads": 1,
                "num_kv_shared_layers": 20,
                "use_double_wide_mlp": True,
            },
        },
        ("gemma4", "gemma4_e2b"),
        (4.6e9, 2.3e9),
    ),
    "google/gemma-4-E4B-it": (
        {
            "model_type": "gemma4",
            "text_config": {
                **_GEMMA_4,
                "hidden_size": 2560,
                "intermediate_size": 10_240,
                "layer_types": ([_LOCAL] * 5 + [_GLOBAL]) * 7,
                "num_hidden_layers": 42,
                "num_key_value_heads": 2,
                "num_kv_shared_layers": 18,
                "use_double_wide_mlp": False,
            },
        },
        ("gemma4", "gemma4_e4b"),
        (7.5e9, 4.7e9),
    ),
    "Qwen/Qwen3-30B-A3B": (
        {
            "model_type": "qwen3_moe",
            "attention_bias": False,
            "decoder_sparse_step": 1,
            "head_dim": 128,
            "hidden_act": "silu",
            "hidden_size": 2048,
            "intermediate_size": 6144,
            "mlp_only_layers": [],
            "moe_intermediate_size": 768,
            "norm_topk_prob": True,
            "num_attention_heads": 32,
            "num_experts": 128,
            "num_experts_per_tok": 8,
            "num_hidden_layers": 48,
            "num_key_value_heads": 4,
            "rms_norm_eps": 1e-6,
            "rope_theta": 1_000_000.0,
            "tie_word_embeddings": False,
            "use_sliding_window": False,
            "vocab_size": 151_936,
        },
        ("qwen3", "qwen3_30b_a3b"),
        (30.5e9, 3.3e9),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_model_has_the_parameters_that_its_card_says(name: str) -> None:
    config, _, (whole, met) = PUBLISHED[name]
    found = architecture_of(config)
    assert parameter_count(found) == pytest.approx(whole, rel=0.02)
    assert parameter_count(found) - idle_parameters(found) == pytest.approx(met, rel=0.03)


@pytest.mark.tunix
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_flop_of_a_slice_report_are_those_of_the_parameters_that_a_token_meets(name: str) -> None:
    from tunixrt_core.tunix_backend.ahead.model_flops import matrix_weights

    found = architecture_of(PUBLISHED[name][0])
    looked_up = 0 if found.tied else found.vocab_size * found.embed_dim
    met = parameter_count(found) - idle_parameters(found) - looked_up
    assert matrix_weights(found) == pytest.approx(met, rel=0.02)


@pytest.mark.tunix
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_sizes_of_a_published_model_are_those_of_tunix_s_preset(name: str) -> None:
    """Tunix chooses sizes by a model's name; here they come from its config.json, and must be the same."""
    import jax.numpy as jnp

    from tunixrt_core.tunix_backend.model.families import FAMILIES

    config, (module_name, preset), _ = PUBLISHED[name]
    architecture = architecture_of(config)
    family = FAMILIES[architecture.kind]
    assert family.name == module_name
    module = family.model_module()
    ours, theirs = family.config(module, architecture, jnp.float32), getattr(module.ModelConfig, preset)()
    # in the same words: Tunix's preset repeats a pattern, and says by a share how many layers borrow
    told = {field.name for field in fields(theirs)} - {"attention_pattern", "frac_shared_layers"}
    assert {each: getattr(ours, each) for each in told} == {each: getattr(theirs, each) for each in told} | (
        {"override_kv_shared_ffw_hidden": 10_240} if "E4B" in name else {}
    )
    if architecture.gemma4:
        pattern = theirs.attention_pattern * 9
        assert ours.attention_pattern == pattern[: ours.num_layers]
        own = [int(each.num_layers - each.frac_shared_layers * each.num_layers) for each in (ours, theirs)]
        assert own[0] == own[1] == architecture.layers - architecture.gemma4.borrowing
