"""A tuned model leaves as Hugging Face files that say what it says, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tunix_backend import families
from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.families import write_checkpoint
from tests.tunix_backend.test_models import load, logits
from tunixrt_core.errors import OutputError, TrainingError
from tunixrt_core.manifest import RunManifest
from tunixrt_core.trainer import ExportReport

pytestmark = pytest.mark.tunix


def export(
    manifest: RunManifest, models_dir: Path, target: Path, on_phase: Callable[[str], None] = lambda phase: None
) -> ExportReport:
    from tunixrt_core.tunix_backend.export import export_model

    checkpoints = Path(manifest.output_dir) / "checkpoints"
    return export_model(
        manifest,
        checkpoints,
        target,
        models_dir=models_dir,
        card=lambda report: f"train step {report.train_step}\n",
        on_phase=on_phase,
    )


def pretend_to_train(manifest: RunManifest, models_dir: Path) -> Any:
    """A checkpoint in which every trained weight has moved at random. Returns the model."""
    import jax
    import jax.numpy as jnp
    from flax import nnx
    from tunix.sft.checkpoint_manager import CheckpointManager

    lora = manifest.method.adapts
    model = load(manifest, models_dir).model
    rng = np.random.RandomState(1)
    kind = nnx.LoRAParam if lora else nnx.Param

    def move(value: Any) -> Any:
        return value + jnp.asarray(rng.standard_normal(value.shape) * 0.05, value.dtype)

    nnx.update(model, jax.tree.map(move, nnx.state(model, kind)))
    manager = CheckpointManager(str(Path(manifest.output_dir).absolute() / "checkpoints"))
    manager.save(7, model, save_only_lora_params=lora, force=True)
    manager.close()
    return model


def tensors(folder: Path) -> dict[str, dict[str, Any]]:
    """Every weight file's tensors."""
    from safetensors.numpy import load_file

    return {path.name: load_file(str(path)) for path in sorted(folder.glob("*.safetensors"))}


def layout(folder: Path) -> dict[str, dict[str, tuple[Any, ...]]]:
    """File, name, shape and type of every tensor."""
    return {
        file: {name: (value.shape, str(value.dtype)) for name, value in found.items()}
        for file, found in tensors(folder).items()
    }


def rewrite(folder: Path, *, dtype: Any = None, shards: int = 1) -> None:
    """The checkpoint of a folder in another type, or in several files with their index."""
    from safetensors.numpy import save_file

    (held,) = tensors(folder).values()
    (folder / "model.safetensors").unlink()
    names = sorted(held)
    index: dict[str, str] = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors" if shards > 1 else "model.safetensors"
        part = {name: held[name].astype(dtype or held[name].dtype) for name in names[shard::shards]}
        save_file(part, str(folder / file), metadata={"format": "pt"})
        index |= dict.fromkeys(part, file)
    if shards > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


FAMILIES = [
    ("qwen2", True),
    ("qwen2", False),
    ("qwen3", True),
    ("qwen3", False),
    ("llama", True),
    ("llama", False),
    ("gemma2", True),
    ("gemma3_text", True),
]


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize(("kind", "tied"), FAMILIES)
def test_an_export_of_every_family_says_what_the_trained_model_says(
    tmp_path: Path, models_dir: Path, kind: str, tied: bool, method: str
) -> None:
    base, target = tmp_path / "model", tmp_path / "out" / "model"
    write_checkpoint(base, kind, tied=tied)
    manifest = make_manifest(tmp_path, model=str(base), method=method, lora_rank=4, lora_alpha=8.0)
    trained = pretend_to_train(manifest, models_dir)
    report = export(manifest, models_dir, target)
    assert (report.train_step, report.agreement, report.dtype) == (7, 1.0, "float32")
    assert report.largest_difference < report.tolerance / 4
    if method == "full":
        assert report.largest_difference == 0.0
    assert layout(target) == layout(base)
    told = json.loads((target / "export.json").read_text())
    assert (told["largest_difference"], told["path"]) == (report.largest_difference, "model")
    assert (target / "README.md").read_text() == "train step 7\n"
    assert [path.name for path in target.parent.iterdir()] == ["model"]
    # measured once more, by a reference that shares no code with the exporter
    (written,) = tensors(target).values()
    tokens = np.arange(5, 45)
    expected = families.reference_logits(written, json.loads((target / "config.json").read_text()), tokens)
    assert np.abs(logits(trained, tokens) - expected).max() < 5e-4


def test_gemma_with_as_many_key_value_heads_as_heads_is_exported(tmp_path: Path, models_dir: Path) -> None:
    # Tunix stacks all three projections then
    write_checkpoint(tmp_path / "model", "gemma3_text", num_key_value_heads=families.HEADS)
    for method in ("full", "lora"):
        manifest = make_manifest(tmp_path / method, model=str(tmp_path / "model"), method=method, lora_rank=4)
        pretend_to_train(manifest, models_dir)
        report = export(manifest, models_dir, tmp_path / f"out-{method}")
        assert report.largest_difference < report.tolerance / 4


def test_an_export_is_in_as_many_files_as_its_base_and_takes_its_index_and_license(
    tmp_path: Path, models_dir: Path
) -> None:
    base, target = tmp_path / "model", tmp_path / "out"
    write_checkpoint(base, "qwen3")
    rewrite(base, shards=3)
    (base / "LICENSE").write_text("terms")
    (base / "README.md").write_text("the base model's card")
    (base / "pytorch_model.bin").write_bytes(b"other weights")
    manifest = make_manifest(tmp_path, model=str(base), method="lora", lora_rank=4)
    pretend_to_train(manifest, models_dir)
    assert export(manifest, models_dir, target).files == 3
    assert layout(target) == layout(base)
    same = ("model.safetensors.index.json", "config.json", "tokenizer.json", "tokenizer_config.json", "LICENSE")
    for name in same:
        assert (target / name).read_bytes() == (base / name).read_bytes()
    assert {p.name for p in target.iterdir()} == {*same, *layout(base), "README.md", "export.json"}


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_bfloat16_base_stays_bfloat16(tmp_path: Path, models_dir: Path, method: str) -> None:
    import ml_dtypes

    write_checkpoint(tmp_path / "model", "qwen3")
    rewrite(tmp_path / "model", dtype=ml_dtypes.bfloat16)
    manifest = make_manifest(tmp_path, model=str(tmp_path / "model"), method=method, lora_rank=4)
    pretend_to_train(manifest, models_dir)
    report = export(manifest, models_dir, tmp_path / "out")
    assert report.dtype == "bfloat16"
    assert layout(tmp_path / "out") == layout(tmp_path / "model")
    assert 0 < report.largest_difference < report.tolerance / 2


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


def test_a_tokenizer_of_its_own_goes_with_the_model(tmp_path: Path, models_dir: Path) -> None:
    base, own, target = tmp_path / "model", tmp_path / "own", tmp_path / "out"
    write_checkpoint(base, "qwen3")
    (base / "vocab.json").write_text("{}")  # belongs to the base's tokenizer
    own.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (own / name).write_bytes((base / name).read_bytes())
    (own / "tokenizer.json").write_text(json.dumps(json.loads((own / "tokenizer.json").read_text()), indent=1))
    manifest = make_manifest(tmp_path, model=str(base), method="full", tokenizer=str(own))
    pretend_to_train(manifest, models_dir)
    export(manifest, models_dir, target)
    assert (target / "tokenizer.json").read_bytes() == (own / "tokenizer.json").read_bytes()
    assert not (target / "vocab.json").exists()


def test_an_existing_target_is_refused_and_left_as_it_is(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("out", "link", "rows.jsonl"):
        with pytest.raises(OutputError, match="exists already"):
            export(manifest, models_dir, tmp_path / name)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_target_that_cannot_be_written_is_named(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path)
    with pytest.raises(OutputError, match="cannot be written"):
        export(manifest, models_dir, tmp_path / "rows.jsonl" / "out")


def test_a_run_without_a_checkpoint_leaves_nothing_behind(tmp_path: Path, models_dir: Path) -> None:
    with pytest.raises(TrainingError, match="no whole checkpoint"):
        export(make_manifest(tmp_path), models_dir, tmp_path / "to" / "out")
    assert list((tmp_path / "to").iterdir()) == []


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

    with pytest.raises(TrainingError, match="does not say what the trained one says"):
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

    with pytest.raises(TrainingError, match=r"no place in the files .* such as final_norm"):
        export(manifest, models_dir, tmp_path / "to" / "out", lose_a_norm)
    assert list((tmp_path / "to").iterdir()) == []
