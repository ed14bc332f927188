"""LoRA of a manifest, as this process applies it: what a test compares across ways and across devices."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import Method


def apply_lora(
    manifest: RunManifest,
    models_dir: Path,
    *,
    by_qwix: bool = False,
    seen: AbstractContextManager[object] | None = None,
) -> tuple[Any, Any]:
    """The manifest's model with fresh LoRA, and its mesh; `by_qwix` runs the pass operation by operation.

    The application alone, not the model's loading, happens within `seen`.
    """
    from tunixrt_core.tunix_backend.model.lora.applied import adapt_model, add_lora
    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh

    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        base = load_model(manifest.model_copy(update={"method": Method.FULL}), models_dir, mesh)
        asked = (base.model, base.architecture, manifest.lora, manifest.method, manifest.seed)
        with seen or nullcontext():
            return (adapt_model(*asked) if by_qwix else add_lora(*asked, mesh)), mesh


def arrays(model: Any) -> dict[str, Any]:
    """Each array of a model as NumPy's, by its path."""
    from flax import nnx

    state = nnx.to_flat_state(nnx.state(model))
    return {"/".join(map(str, path)): np.asarray(leaf.get_raw_value()) for path, leaf in state}


def widened(model: Any) -> dict[str, Any]:
    """As arrays, in float32, which holds any of their numbers: NumPy's files have no type for half a byte."""
    return {name: value.astype(np.float32) for name, value in arrays(model).items()}


def write_adapted(manifests: list[RunManifest], models_dir: Path, target: Path) -> None:
    """Of each: the arrays, in `target`/<number>.npz. Raises AssertionError where one lies elsewhere than declared."""
    from flax import nnx

    from tunixrt_core.tunix_backend.model.entered import sharding_of

    for i, manifest in enumerate(manifests):
        model, mesh = apply_lora(manifest, models_dir)
        state = nnx.state(model)
        specs = dict(nnx.to_flat_state(nnx.get_partition_spec(state)))
        for path, leaf in nnx.to_flat_state(state):
            value = leaf.get_raw_value()
            declared = sharding_of(value.shape, specs[path].get_raw_value(), mesh)
            assert value.sharding.is_equivalent_to(declared, value.ndim), (path, value.sharding, declared)
        np.savez(target / f"{i}.npz", **widened(model))
