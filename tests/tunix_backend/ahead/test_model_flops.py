"""The FLOP that a model needs are counted layer by layer, each with the width of its heads and the tokens it sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tunixrt_core.manifest.manifest import manifest_without_data
from tunixrt_core.tunix_backend.ahead.model_flops import matrix_weights, model_flops
from tunixrt_core.tunix_backend.model.architecture import Architecture, Gemma4, Rope

ROWS, LENGTH, WINDOW, HEADS, NARROW, WIDE = 2, 64, 16, 4, 16, 32
GEMMA = Architecture(
    kind="gemma4_text",
    layers=6,
    vocab_size=512,
    embed_dim=64,
    hidden_dim=128,
    heads=HEADS,
    kv_heads=2,
    head_dim=NARROW,
    norm_eps=1e-6,
    tied=True,
    rope=Rope(1e6),
    local_rope=Rope(1e4),
    local_layers=(True, True, True, True, True, False),
    window=WINDOW,
    gemma4=Gemma4(global_head_dim=WIDE, borrowing=0, borrowing_hidden_dim=128, per_layer_dim=0),
)


def test_the_layers_of_gemma_4_that_see_everything_count_with_their_wider_heads() -> None:
    manifest = manifest_without_data("org/name", {"max_seq_length": LENGTH, "batch_size": ROWS})
    whole = LENGTH * (LENGTH + 1) / 2
    local = WINDOW * (WINDOW + 1) / 2 + (LENGTH - WINDOW) * WINDOW
    pairs = HEADS * (5 * NARROW * local + WIDE * whole)  # of queries and keys, times the width of their heads
    dense = ROWS * LENGTH * 2 * matrix_weights(GEMMA)
    assert model_flops(GEMMA, manifest, "evaluation", ROWS, LENGTH) == pytest.approx(dense + ROWS * 4 * pairs)
    tokens = ROWS * (2 * matrix_weights(GEMMA) + 4 * HEADS * (5 * NARROW + WIDE) * LENGTH)
    assert model_flops(GEMMA, manifest, "generation", ROWS, LENGTH) == pytest.approx(tokens)


def test_the_gradient_of_attention_costs_twice_what_attention_does() -> None:
    full = manifest_without_data("org/name", {"max_seq_length": LENGTH, "batch_size": ROWS, "method": "full"})
    same = replace(GEMMA, local_layers=(False,) * 6, gemma4=None, kind="qwen3")
    forward = model_flops(same, full, "evaluation", ROWS, LENGTH)
    assert model_flops(same, full, "train", ROWS, LENGTH) == pytest.approx(3 * forward)
