"""The steps of a run are compiled from shapes; the counts agree with the compiler's own and with the model."""

from __future__ import annotations

from typing import Any

import pytest

from tunixrt_core.manifest.manifest import manifest_without_data
from tunixrt_core.training.ahead.costs import STEPS, StepCost

pytestmark = pytest.mark.tunix

SIZES = {
    **{"model_type": "qwen3", "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128, "head_dim": 16},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512, "rms_norm_eps": 1e-6, "rope_theta": 1e6},
    "tie_word_embeddings": True,
}
LENGTH = 64


@pytest.fixture(scope="module")
def costs() -> dict[str, StepCost]:
    """All steps of a small model, for the CPU of this machine: the same code as for a slice."""
    import jax

    from tunixrt_core.tunix_backend.ahead.programs import Planned, step_costs
    from tunixrt_core.tunix_backend.model.configs.reading import architecture_of
    from tunixrt_core.tunix_backend.model.models import mesh_over

    hyper: dict[str, Any] = {"max_seq_length": LENGTH, "batch_size": 2, "dtype": "float32", "method": "lora"}
    manifest = manifest_without_data("org/name", {**hyper, "lora_rank": 4})
    mesh = mesh_over(jax.devices()[:1], manifest.mesh, 2)
    plan = Planned(manifest, architecture_of(SIZES), mesh, LENGTH, 5)
    told: list[str] = []
    found = {cost.kind: cost for cost in step_costs(plan, STEPS, told.append)}
    assert told == ["train", "evaluation", "prompts", "generation"]
    return found


def test_every_step_is_counted(costs: dict[str, StepCost]) -> None:
    assert list(costs) == list(STEPS)
    for cost in costs.values():
        assert not cost.refused
        assert cost.hbm > cost.weights / 2
        assert cost.temporary > 0


def test_arithmetic_is_that_of_the_model(costs: dict[str, StepCost]) -> None:
    """Attention computes all pairs of this length, the model needs about half of them."""
    for kind in ("train", "evaluation"):
        assert 0.9 < costs[kind].flops / costs[kind].model_flops < 1.5
    assert 2 < costs["train"].flops / costs["evaluation"].flops < 3.2


def test_the_buffers_of_the_text_are_about_what_the_compiler_allocates(costs: dict[str, StepCost]) -> None:
    for kind in ("train", "evaluation"):
        assert costs[kind].temporary / 2 < costs[kind].live < costs[kind].temporary * 1.5


def test_generation_holds_keys_and_values_of_every_prompt(costs: dict[str, StepCost]) -> None:
    generation = costs["generation"]
    assert generation.tokens == 32
    # two arrays in each of two layers, and where each row ends
    assert generation.cache == 2 * 32 * (2 * LENGTH * 2 * 16 * 4 + 4)
    assert generation.optimizer == 0
