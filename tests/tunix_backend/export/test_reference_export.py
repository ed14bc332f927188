"""Hugging Face's own code reads an export: transformers a merged model, peft a LoRA. Runs where both are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.exports import FAMILIES, export, pretend_to_train, rewrite, tensors
from tests.tunix_backend.helpers.families import write_checkpoint
from tests.tunix_backend.model.test_models import load
from tunixrt_core.errors import ExportError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.model_export import ExportLayout
from tunixrt_core.tunix_backend.model.tiny import write_builtin_model

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

pytestmark = pytest.mark.tunix


def manifest_of(tmp_path: Path, **hyper: Any) -> RunManifest:
    values = {"method": "lora", "lora_rank": 4, "lora_alpha": 8.0, **hyper}
    return make_manifest(tmp_path, model=str(tmp_path / "model"), **values)


def check(manifest: RunManifest, models_dir: Path, target: Path, layout: ExportLayout, **options: Any) -> None:
    """Export, have Tunix and Hugging Face's code compare, and hold both to the bar of float32."""
    report = export(manifest, models_dir, target, layout=layout, transformers=True, **options)
    reader = "transformers" if layout is ExportLayout.MERGED else "peft"
    assert [found.by for found in report.checks] == ["tunix", reader]
    assert report.not_checked == {}
    for found in report.checks:
        assert (found.agreement, found.tolerance < 1e-3) == (1.0, True)


@pytest.mark.parametrize(("kind", "tied"), FAMILIES)
def test_a_merged_model_and_its_lora_alone_say_what_the_trained_model_says(
    tmp_path: Path, models_dir: Path, kind: str, tied: bool
) -> None:
    turned = {} if kind == "gemma4_text" else {"rope_theta": 10_000.0}
    write_checkpoint(tmp_path / "model", kind, tied=tied, **turned)
    manifest = manifest_of(tmp_path)
    pretend_to_train(manifest, models_dir)
    for layout in ExportLayout:
        check(manifest, models_dir, tmp_path / layout, layout, shard_bytes=100_000)
    assert len(list((tmp_path / "merged").glob("*.safetensors"))) > 1


@pytest.mark.parametrize(("kind", "tied"), FAMILIES)
def test_a_model_of_which_all_weights_were_trained_says_the_same(
    tmp_path: Path, models_dir: Path, kind: str, tied: bool
) -> None:
    write_checkpoint(tmp_path / "model", kind, tied=tied)
    manifest = manifest_of(tmp_path, method="full")
    pretend_to_train(manifest, models_dir)
    check(manifest, models_dir, tmp_path / "out", ExportLayout.MERGED)


@pytest.mark.parametrize("modules", ["layers/1/attn/q_proj|layers/1/mlp/.*", ".*q_proj|lm_head"])
def test_peft_puts_a_lora_on_the_modules_that_were_trained_and_on_no_others(
    tmp_path: Path, models_dir: Path, modules: str
) -> None:
    write_checkpoint(tmp_path / "model", "qwen2", tied=False)
    manifest = manifest_of(tmp_path, lora_modules=modules)
    pretend_to_train(manifest, models_dir)
    check(manifest, models_dir, tmp_path / "out", ExportLayout.PEFT)


@pytest.mark.parametrize("kind", ["gemma2", "gemma3_text"])
def test_gemma_with_all_projections_stacked_is_taken_apart(tmp_path: Path, models_dir: Path, kind: str) -> None:
    write_checkpoint(tmp_path / "model", kind, num_key_value_heads=4)
    manifest = manifest_of(tmp_path)
    pretend_to_train(manifest, models_dir)
    check(manifest, models_dir, tmp_path / "out", ExportLayout.PEFT)


@pytest.mark.parametrize("family", ["gemma3", "gemma4"])
@pytest.mark.parametrize("layout", ExportLayout)
def test_a_gemma_that_sees_pictures_is_read_too(
    tmp_path: Path, models_dir: Path, layout: ExportLayout, family: str
) -> None:
    from tests.tunix_backend.model.test_reference import write_gemma_3_with_pictures, write_gemma_4_with_senses

    write = {"gemma3": write_gemma_3_with_pictures, "gemma4": write_gemma_4_with_senses}[family]
    write(tmp_path / "model")
    write_builtin_model("tiny-micro", tmp_path / "tokenizer")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "model" / name).write_bytes((tmp_path / "tokenizer" / name).read_bytes())
    manifest = manifest_of(tmp_path)
    pretend_to_train(manifest, models_dir)
    check(manifest, models_dir, tmp_path / "out", layout)


@pytest.mark.parametrize("kind", ["qwen3", "qwen3_moe"])
@pytest.mark.parametrize("layout", ExportLayout)
def test_bfloat16_is_read_within_what_rounding_allows(
    tmp_path: Path, models_dir: Path, layout: ExportLayout, kind: str
) -> None:
    write_checkpoint(tmp_path / "model", kind)
    rewrite(tmp_path / "model", dtype="bfloat16")
    manifest = manifest_of(tmp_path, dtype="bfloat16")
    pretend_to_train(manifest, models_dir)
    report = export(manifest, models_dir, tmp_path / "out", layout=layout, transformers=True)
    assert all(0 < found.largest_difference < found.tolerance / 2 for found in report.checks)


def test_transformers_finds_a_router_that_would_choose_other_experts(tmp_path: Path, models_dir: Path) -> None:
    from safetensors.numpy import save_file

    from tunixrt_core.tunix_backend.export.proof import compare, outputs_of, proof_prompts
    from tunixrt_core.tunix_backend.export.torch_proof import torch_outputs

    write_checkpoint(tmp_path / "model", "qwen3_moe")
    manifest = manifest_of(tmp_path, method="full")
    prompts = proof_prompts(manifest, models_dir)
    loaded = load(manifest, models_dir)
    with loaded.mesh:
        trained = outputs_of(loaded, prompts)
    (held,) = tensors(tmp_path / "model").values()
    name = "model.layers.1.mlp.gate.weight"
    save_file(held | {name: held[name][[1, 0, 2, 3]].copy()}, tmp_path / "model" / "model.safetensors")
    read = torch_outputs(ExportLayout.MERGED, tmp_path / "model", tmp_path / "model", prompts, trained.scores)
    with pytest.raises(ExportError, match="scores of experts differ"):
        compare("transformers", trained, read, 0.15)


def test_transformers_stops_where_the_run_was_taught_to(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path, method="full")
    pretend_to_train(manifest, models_dir)
    export(manifest, models_dir, tmp_path / "out")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    ends = transformers.GenerationConfig.from_pretrained(tmp_path / "out").eos_token_id
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") in ends
    assert tokenizer.chat_template
