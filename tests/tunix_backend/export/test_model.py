"""A tuned model leaves as Hugging Face files that say what it says, or not at all."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import cases
from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers import families
from tests.tunix_backend.helpers.exports import FAMILIES, export, layout, pretend_to_train, rewrite, tensors
from tests.tunix_backend.helpers.families import write_checkpoint
from tests.tunix_backend.model.test_models import logits
from tunixrt_core.errors import CheckpointError, ExportError, ModelError, OutputError
from tunixrt_core.training.model_export import ExportLayout, ExportReport

pytestmark = pytest.mark.tunix


def is_exact(report: ExportReport) -> bool:
    """Whether the only check, by Tunix, was held to the bar of float32; where it was, no token may differ."""
    (check,) = report.checks
    assert check.by == "tunix"
    exact = check.tolerance < 1e-3
    assert check.agreement == 1.0 if exact else check.agreement > 0.9
    return exact


# together every family, head, method and type
KEPT = {
    ("qwen2", False, "lora", "float32"),
    ("qwen3", True, "full", "bfloat16"),
    ("llama", False, "full", "float32"),
    ("llama", True, "lora", "bfloat16"),
    ("gemma2", True, "lora", "float32"),
    ("gemma3_text", True, "lora", "float32"),
    ("qwen3_moe", False, "lora", "bfloat16"),
    ("gemma4_text", True, "lora", "float32"),
}
MATRIX = [(*family, *rest) for family, *rest in product(FAMILIES, ("full", "lora"), ("float32", "bfloat16"))]


@pytest.mark.parametrize(("kind", "tied", "method", "dtype"), cases(MATRIX, KEPT))
def test_an_export_of_every_family_says_what_the_trained_model_says(
    tmp_path: Path, models_dir: Path, kind: str, tied: bool, method: str, dtype: str
) -> None:
    base, target = tmp_path / "model", tmp_path / "out" / "model"
    write_checkpoint(base, kind, tied=tied)
    rewrite(base, dtype=dtype)
    manifest = make_manifest(tmp_path, model=str(base), method=method, lora_rank=4, lora_alpha=8.0, dtype=dtype)
    trained = pretend_to_train(manifest, models_dir)
    report = export(manifest, models_dir, target)
    assert (report.train_step, report.dtype) == (7, dtype)
    # LoRA is added to weights that keep 16 bits, so they are rounded once
    assert is_exact(report) is (dtype == "float32" or method == "full")
    if method == "full":
        assert report.checks[0].largest_difference == 0.0
    assert layout(target) == layout(base)
    assert [path.name for path in target.parent.iterdir()] == ["model"]
    if method == "lora":
        adapter = export(manifest, models_dir, tmp_path / "adapter", layout=ExportLayout.PEFT)
        assert (adapter.train_step, adapter.dtype) == (7, "float32")  # LoRA, as it was trained
        assert is_exact(adapter) is (dtype == "float32")
    if dtype == "float32":
        # measured once more, by a reference that shares no code with the exporter
        (written,) = tensors(target).values()
        tokens = np.arange(5, 45)
        expected = families.reference_logits(written, json.loads((target / "config.json").read_text()), tokens)
        assert np.abs(logits(trained, tokens) - expected).max() < 5e-4


def test_the_report_lies_beside_the_weights_and_says_what_was_not_checked(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path, method="full")
    pretend_to_train(manifest, models_dir)
    report = export(manifest, models_dir, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "export.json").read_text())
    assert told["path"] == "out"
    assert [check["by"] for check in told["checks"]] == ["tunix"]
    assert told["not_checked"] == report.not_checked == {"transformers": "not requested"}
    assert (tmp_path / "out" / "README.md").read_text() == "train step 7\n"


def test_gemma_with_as_many_key_value_heads_as_heads_is_exported(tmp_path: Path, models_dir: Path) -> None:
    # Tunix stacks all three projections then
    write_checkpoint(tmp_path / "model", "gemma3_text", num_key_value_heads=families.HEADS)
    for method in ("full", "lora"):
        manifest = make_manifest(tmp_path / method, model=str(tmp_path / "model"), method=method, lora_rank=4)
        pretend_to_train(manifest, models_dir)
        report = export(manifest, models_dir, tmp_path / f"out-{method}")
        assert is_exact(report)


def test_a_bfloat16_base_that_was_trained_in_float32_stays_bfloat16(tmp_path: Path, models_dir: Path) -> None:
    write_checkpoint(tmp_path / "model", "qwen3")
    rewrite(tmp_path / "model", dtype="bfloat16")
    for method in ("full", "lora"):
        manifest = make_manifest(tmp_path / method, model=str(tmp_path / "model"), method=method, lora_rank=4)
        pretend_to_train(manifest, models_dir)
        report = export(manifest, models_dir, tmp_path / f"out-{method}")
        assert (report.dtype, is_exact(report)) == ("bfloat16", False)
        assert layout(tmp_path / f"out-{method}") == layout(tmp_path / "model")
        assert 0 < report.checks[0].largest_difference < report.checks[0].tolerance / 2
    # the LoRA alone is kept as it was trained: nothing is rounded
    adapter = export(manifest, models_dir, tmp_path / "adapter", layout=ExportLayout.PEFT)
    assert (adapter.dtype, is_exact(adapter)) == ("float32", True)


def test_what_the_model_does_not_have_is_copied_and_a_tied_head_follows_its_embedding(
    tmp_path: Path, models_dir: Path
) -> None:
    from safetensors.numpy import save_file

    base, target = tmp_path / "model", tmp_path / "out"
    write_checkpoint(base, "qwen3")
    (held,) = tensors(base).values()
    extra = {"lm_head.weight": held["model.embed_tokens.weight"], "model.rotary_emb.inv_freq": np.ones(8, np.float32)}
    save_file(held | extra, str(base / "model.safetensors"))
    manifest = make_manifest(tmp_path, model=str(base), method="full")
    pretend_to_train(manifest, models_dir)
    export(manifest, models_dir, target)
    (written,) = tensors(target).values()
    assert np.array_equal(written["lm_head.weight"], written["model.embed_tokens.weight"])
    assert not np.array_equal(written["lm_head.weight"], held["model.embed_tokens.weight"])
    assert np.array_equal(written["model.rotary_emb.inv_freq"], np.ones(8, np.float32))


def test_an_existing_target_is_refused_and_left_as_it_is(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("out", "link", "rows.jsonl"):
        with pytest.raises(OutputError, match="already exists"):
            export(manifest, models_dir, tmp_path / name)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_target_that_cannot_be_written_is_named(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path)
    with pytest.raises(OutputError, match="cannot be written"):
        export(manifest, models_dir, tmp_path / "rows.jsonl" / "out")


def test_a_run_without_a_checkpoint_leaves_nothing_behind(tmp_path: Path, models_dir: Path) -> None:
    with pytest.raises(CheckpointError, match="no complete checkpoint"):
        export(make_manifest(tmp_path), models_dir, tmp_path / "to" / "out")
    assert list((tmp_path / "to").iterdir()) == []


def test_a_router_that_would_choose_other_experts_is_found_out(tmp_path: Path, models_dir: Path) -> None:
    """The export computes with the experts of the trained model, also where the run recomputes layers."""
    from safetensors.numpy import save_file

    base = tmp_path / "model"
    write_checkpoint(base, "qwen3_moe")
    rewrite(base, dtype="bfloat16")
    manifest = make_manifest(
        tmp_path, model=str(base), method="lora", lora_rank=4, dtype="bfloat16", remat="decoder", batch_size=2
    )
    pretend_to_train(manifest, models_dir)
    (check,) = export(manifest, models_dir, tmp_path / "out").checks
    assert 0 < check.largest_difference < check.tolerance / 4

    def exchange_experts(phase: str) -> None:
        if phase == "checking":
            (file,) = (tmp_path / "to").glob(".out.*/model.safetensors")
            (held,) = tensors(file.parent).values()
            name = "model.layers.1.mlp.gate.weight"
            save_file(held | {name: np.ascontiguousarray(held[name][[1, 0, 2, 3]])}, str(file))

    with pytest.raises(ExportError, match="does not match the trained model: scores of experts differ"):
        export(manifest, models_dir, tmp_path / "to" / "out", exchange_experts)


@pytest.mark.parametrize("scale", [1.01, float("nan")])
def test_a_file_that_is_damaged_between_writing_and_loading_is_found_out(
    tmp_path: Path, models_dir: Path, scale: float
) -> None:
    from safetensors.numpy import save_file

    manifest = make_manifest(tmp_path, method="full")
    pretend_to_train(manifest, models_dir)

    def damage(phase: str) -> None:
        if phase == "checking":
            (file,) = (tmp_path / "to").glob(".out.*/model.safetensors")
            (held,) = tensors(file.parent).values()
            save_file(held | {"model.norm.weight": held["model.norm.weight"] * np.float32(scale)}, str(file))

    with pytest.raises(ExportError, match="does not match the trained model"):
        export(manifest, models_dir, tmp_path / "to" / "out", damage)
    assert list((tmp_path / "to").iterdir()) == []


def test_a_base_that_changed_since_the_training_is_refused(tmp_path: Path, models_dir: Path) -> None:
    from safetensors.numpy import save_file

    base = tmp_path / "model"
    write_checkpoint(base, "qwen3")
    manifest = make_manifest(tmp_path, model=str(base), method="full")
    pretend_to_train(manifest, models_dir)

    def lose_a_norm(phase: str) -> None:
        if phase == "writing":
            (held,) = tensors(base).values()
            del held["model.norm.weight"]
            save_file(held, str(base / "model.safetensors"))

    with pytest.raises(ExportError, match=r"are not in the files .* such as final_norm"):
        export(manifest, models_dir, tmp_path / "to" / "out", lose_a_norm)
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize(("method", "why"), [("full", "no LoRA to write"), ("qlora", "quantised weights")])
def test_a_run_whose_lora_cannot_stand_alone_is_refused_before_any_work(
    tmp_path: Path, models_dir: Path, method: str, why: str
) -> None:
    manifest = make_manifest(tmp_path, method=method)
    with pytest.raises(ExportError, match=f"{why}.*Export it merged"):
        export(manifest, models_dir, tmp_path / "to" / "out", layout=ExportLayout.PEFT)
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(("layout", "needed"), [(ExportLayout.MERGED, "torch"), (ExportLayout.PEFT, "peft")])
def test_a_check_that_is_asked_for_and_cannot_be_made_is_an_error_and_left_out_with_its_reason_otherwise(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch, layout: ExportLayout, needed: str
) -> None:
    from tunixrt_core.tunix_backend.export import torch_proof

    found = torch_proof.find_spec
    monkeypatch.setattr(torch_proof, "find_spec", lambda name: None if name == needed else found("json"))
    with pytest.raises(ModelError, match=f"needs {needed}, which is not installed"):
        export(make_manifest(tmp_path, method="lora"), models_dir, tmp_path / "out", layout=layout, transformers=True)
    assert torch_proof.why_not(layout, None) == f"{needed} not installed"
    assert torch_proof.why_not(layout, False) == "not requested"


def test_a_reader_that_refuses_to_be_imported_is_an_error_where_asked_for_and_a_reason_otherwise(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunixrt_core.tunix_backend.export import torch_proof

    def refuse(name: str) -> None:
        if name == "transformers":
            raise ImportError("tokenizers>=0.23.1 is required, but found tokenizers==0.22.2.\nTry: something")

    monkeypatch.setattr(torch_proof, "find_spec", lambda name: object())
    monkeypatch.setattr(torch_proof, "import_module", refuse)
    manifest = make_manifest(tmp_path)
    with pytest.raises(ModelError, match=r"cannot run: transformers cannot be imported .*tokenizers==0\.22\.2"):
        export(manifest, models_dir, tmp_path / "out", transformers=True)
    pretend_to_train(manifest, models_dir)
    report = export(manifest, models_dir, tmp_path / "out", transformers=None)
    assert [found.by for found in report.checks] == ["tunix"]
    assert "found tokenizers==0.22.2" in report.not_checked["transformers"]
