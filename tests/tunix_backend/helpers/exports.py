"""What the tests of exports share: a checkpoint without a training, the export of it, and what is in its files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.tunix_backend.model.test_models import load
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.model_export import ExportReport, ModelExportOptions

# Every family that can be trained: its model_type, and whether its output head is its embedding.
FAMILIES = [
    ("qwen2", True),
    ("qwen2", False),
    ("qwen3", True),
    ("qwen3", False),
    ("llama", True),
    ("llama", False),
    ("gemma2", True),
    ("gemma3_text", True),
    ("qwen3_moe", False),
    ("gemma4_text", True),
]


def export(
    manifest: RunManifest,
    models_dir: Path,
    target: Path,
    on_phase: Callable[[str], None] = lambda phase: None,
    **options: Any,
) -> ExportReport:
    """Checked by Tunix alone where `transformers` is not True."""
    from tunixrt_core.tunix_backend.export.model import export_model

    checkpoints = Path(manifest.output_dir) / "checkpoints"
    return export_model(
        manifest,
        checkpoints,
        target,
        models_dir=models_dir,
        options=ModelExportOptions(**{"transformers": False, **options}),
        card=lambda report: f"train step {report.train_step}\n",
        on_phase=on_phase,
    )


def pretend_to_train(manifest: RunManifest, models_dir: Path) -> Any:
    """A checkpoint in which every trained weight has moved at random. Returns the model, as it is held."""
    import jax
    from flax import nnx
    from tunix.sft.checkpoint_manager import CheckpointManager

    lora = manifest.method.adapts
    model = load(manifest, models_dir, trains=True).model
    rng = np.random.RandomState(1)
    kind = nnx.LoRAParam if lora else nnx.Param

    def move(value: Any) -> Any:  # by NumPy: JAX compiles each operation for each shape
        moved = np.asarray(value) + (rng.standard_normal(value.shape) * 0.05).astype(value.dtype)
        return jax.device_put(moved, value.sharding)

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
    from ml_dtypes import bfloat16
    from safetensors.numpy import save_file

    kind = bfloat16 if dtype == "bfloat16" else dtype  # NumPy alone does not know the name
    (held,) = tensors(folder).values()
    (folder / "model.safetensors").unlink()
    names = sorted(held)
    index: dict[str, str] = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors" if shards > 1 else "model.safetensors"
        part = {name: held[name].astype(kind or held[name].dtype) for name in names[shard::shards]}
        save_file(part, str(folder / file), metadata={"format": "pt"})
        index |= dict.fromkeys(part, file)
    if shards > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
