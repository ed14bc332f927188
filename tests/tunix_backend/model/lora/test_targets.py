"""Which modules a LoRA pattern stands for, told without loading anything, and LoRA beside quantised weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import cases
from tests.tunix_backend.conftest import KeptReports, make_manifest, train, write_rows
from tests.tunix_backend.helpers.exports import export, pretend_to_train
from tests.tunix_backend.helpers.families import BORROWING, KINDS, config_of, layers_of, weights, write_checkpoint
from tests.tunix_backend.model.test_models import load, logits
from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.sections import ALL_LORA_MODULES
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.tunix_backend.model.configs.reading import architecture_of
from tunixrt_core.tunix_backend.model.lora.targets import check_tile_size, lora_parameters, lora_targets

TOKENS = np.arange(5, 45)
SHORT = [Trace(f"{i} + 1?", (Step(0, "so"),), str(i + 1)) for i in range(4)]
PATTERNS = (ALL_LORA_MODULES, "layers/1/.*", ".*down_proj|.*o_proj|.*attn_vec_einsum", ".*/attn/[kq].*", ".*lm_head")


def qwix_answer(model: Any, pattern: str, rank: int) -> dict[str, int]:
    """The modules that qwix itself puts LoRA on, each with how many numbers are trained there."""
    import jax
    import qwix
    from flax import nnx

    provider = qwix.LoraProvider(module_path=pattern, rank=rank, alpha=1.0)
    graph, weights = nnx.split(model)

    def adapted(weights: Any) -> Any:
        whole = nnx.merge(graph, weights)
        changed = qwix.apply_lora_to_model(whole, provider, rngs=nnx.Rngs(0), **whole.get_model_input())
        return nnx.state(changed, nnx.LoRAParam)

    found: dict[str, int] = {}
    # shapes alone: nothing is compiled
    for (*module, _), value in nnx.to_flat_state(jax.eval_shape(adapted, weights)):
        path = "/".join(map(str, module))
        found[path] = found.get(path, 0) + sum(leaf.size for leaf in jax.tree.leaves(value))
    return found


@pytest.mark.tunix
@pytest.mark.parametrize(
    ("kind", "tied", "kv_heads"),
    cases(
        [
            *(("qwen2", True, 2), ("qwen3", False, 2), ("llama", True, 4), ("gemma2", True, 2)),
            *(("gemma3_text", True, 4), ("qwen3_moe", False, 2), ("gemma4_text", True, 1)),
        ],
        {("qwen3", False, 2), ("gemma3_text", True, 4), ("qwen3_moe", False, 2), ("gemma4_text", True, 1)},
    ),
)
def test_the_targets_are_those_that_qwix_finds(
    tmp_path: Path, models_dir: Path, kind: str, tied: bool, kv_heads: int
) -> None:
    config = write_checkpoint(tmp_path / "model", kind, tied=tied, num_key_value_heads=kv_heads)
    model = load(make_manifest(tmp_path, model=str(tmp_path / "model"), method="full"), models_dir).model
    for pattern in PATTERNS:
        found = qwix_answer(model, pattern, rank=3)
        if any(path.endswith("router") for path in found):
            with pytest.raises(ModelError, match="matches the router of the experts"):
                lora_targets(architecture_of(config), pattern)
            continue
        if not found:
            with pytest.raises(ModelError, match="matches no module"):
                lora_targets(architecture_of(config), pattern)
            continue
        targets = lora_targets(architecture_of(config), pattern)
        assert {target.path: lora_parameters([target], 3) for target in targets} == found, pattern


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_pattern_reaches_every_projection(kind: str) -> None:
    targets = lora_targets(architecture_of(config_of(kind)), ALL_LORA_MODULES)
    # Gemma's keys and values are one module, a layer of Gemma 4 that borrows them has none, and experts are no modules
    each = {"qwen3_moe": 4}.get(kind, 6 if kind.startswith("gemma") else 7)
    assert len(targets) == layers_of(kind) * each - (BORROWING if kind == "gemma4_text" else 0)


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("no_such_projection", r"matches no module .* down_proj, gate_proj, k_proj, o_proj"),
        ("q_proj", "whole paths such as layers/0/attn/q_proj"),
        ("(", "not a regular expression"),
        (".*", "matches the embedding"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: str, named: str) -> None:
    with pytest.raises(ModelError, match=named):
        lora_targets(architecture_of(config_of("qwen3")), pattern)


def test_a_tile_that_does_not_divide_the_inputs_is_refused_with_the_sizes_that_do() -> None:
    targets = lora_targets(architecture_of(config_of("qwen3")), ALL_LORA_MODULES)
    check_tile_size(targets, 16)
    with pytest.raises(ModelError, match=r"32 does not divide the 48 inputs of layers/0/attn/q_proj .* one of 8, 16\."):
        check_tile_size(targets, 32)
    # tiles of an output projection divide the heads' size
    with pytest.raises(ModelError, match=r"does not divide the 16 inputs of layers/0/attn/o_proj"):
        check_tile_size(lora_targets(architecture_of(config_of("qwen3")), ".*o_proj"), 32)
    odd = architecture_of(config_of("qwen3", intermediate_size=52))
    with pytest.raises(ModelError, match="No size does"):
        check_tile_size(lora_targets(odd, ".*down_proj|.*q_proj"), 16)


def qlora(folder: Path, model: Path, quantization: str = "nf4", **hyper: Any) -> Any:
    values = {"quantization": quantization, "tile_size": 16, "lora_rank": 4, "batch_size": 2, **hyper}
    # few and short: quantised weights are multiplied slowly in programs that were compiled quickly
    rows = write_rows(folder / "rows.jsonl", SHORT)
    return make_manifest(folder, model=str(model), rows=rows, method="qlora", **values)


@pytest.mark.tunix
@pytest.mark.parametrize(
    ("kind", "quantization", "most"),
    cases(
        [
            ("qwen2", "int8", 0.01),
            ("qwen3", "nf4", 0.2),
            ("llama", "int8", 0.01),
            ("gemma2", "nf4", 0.2),
            ("gemma3_text", "nf4", 0.2),
            ("qwen3_moe", "nf4", 0.2),
            ("gemma4_text", "int8", 0.01),
        ],
        {("qwen2", "int8", 0.01), ("gemma3_text", "nf4", 0.2), ("gemma4_text", "int8", 0.01)},
    ),
)
def test_a_quantised_model_says_what_its_quantised_weights_say_and_exports_them(
    tmp_path: Path, models_dir: Path, kind: str, quantization: str, most: float
) -> None:
    """The files hold the weights as LoRA met them, so what differs from the base's is quantisation and LoRA alone."""
    from safetensors.numpy import load_file

    from tunixrt_core.tunix_backend.export.weights import TrainedWeights

    write_checkpoint(tmp_path / "model", kind)
    manifest = qlora(tmp_path, tmp_path / "model", quantization)
    fresh = TrainedWeights(load(manifest, models_dir).model, 2.0)
    for name, original in weights(kind).items():
        if name.endswith("layer_scalar"):  # fixed, and copied from the base
            continue
        off = np.abs(fresh.tensor(name) - original).max() / np.abs(original).max()
        assert off < most if "_proj.weight" in name else off == 0.0, name
    trained = logits(pretend_to_train(manifest, models_dir), TOKENS)
    (check,) = export(manifest, models_dir, tmp_path / "out").checks
    assert (check.agreement, check.tolerance < 1e-3) == (1.0, True)
    plain = make_manifest(tmp_path, model=str(tmp_path / "out"), method="full")
    assert np.abs(logits(load(plain, models_dir).model, TOKENS) - trained).max() < 2e-4
    written = load_file(str(tmp_path / "out" / "model.safetensors"))
    assert {name: value.dtype for name, value in written.items()} == dict.fromkeys(weights(kind), np.float32)


@pytest.mark.tunix
@pytest.mark.parametrize("kind", cases(["qwen3", "llama", "gemma3_text"], {"qwen3"}))
def test_qlora_trains_lora_alone_and_its_checkpoint_comes_back(tmp_path: Path, models_dir: Path, kind: str) -> None:
    from tunixrt_core.tunix_backend.model.files.checkpoints import restore_weights

    config = write_checkpoint(tmp_path / "model", kind, rope_theta=10_000.0, num_hidden_layers=1)
    options: dict[str, Any] = {"batch_size": 4, "learning_rate": 0.02, "schedule": "constant"}
    manifest = qlora(tmp_path, tmp_path / "model", train_steps=3, **options)
    reports = KeptReports()
    outcome = train(manifest, models_dir, reports)
    losses = reports.of("train")
    assert losses[3] < losses[1]
    plan = reports.plans[0]
    targets = lora_targets(architecture_of(config), ALL_LORA_MODULES)
    assert plan["trainable_parameters"] == lora_parameters(targets, 4)
    assert outcome.checkpoint is not None
    size = sum(path.stat().st_size for path in (outcome.checkpoint / "model_params").rglob("*") if path.is_file())
    assert size < 4 * plan["total_parameters"]
    loaded = load(manifest, models_dir)
    untrained = logits(loaded.model, TOKENS)
    assert restore_weights(loaded.model, Path(manifest.output_dir) / "checkpoints", lora=True) == 3
    assert np.abs(logits(loaded.model, TOKENS) - untrained).max() > 0.01


@pytest.mark.tunix
def test_qlora_that_is_resumed_ends_as_if_it_had_not_been_interrupted(tmp_path: Path, models_dir: Path) -> None:
    write_checkpoint(tmp_path / "model", "qwen3", num_hidden_layers=1)
    options: dict[str, Any] = {"learning_rate": 0.02, "schedule": "constant"}
    first, resumed, once = KeptReports(), KeptReports(), KeptReports()
    # not nf4: with it, two runs of one manifest have been seen to part from the fourth train step on, on a loaded CPU
    train(qlora(tmp_path, tmp_path / "model", "int8", train_steps=2, **options), models_dir, first)
    whole = qlora(tmp_path, tmp_path / "model", "int8", train_steps=4, **options)
    train(whole, models_dir, resumed)
    assert sorted(resumed.of("train")) == [3, 4]
    train(whole.model_copy(update={"output_dir": str(tmp_path / "once")}), models_dir, once)
    assert {**first.of("train"), **resumed.of("train")} == once.of("train")
