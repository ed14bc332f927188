"""Loading a model onto a mesh, with LoRA where requested."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.models import missing_model, model_directory, parse_model_name
from tunixrt_core.manifest.sections import MeshSection
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.devices import check_device
from tunixrt_core.tunix_backend.model.families import FAMILIES
from tunixrt_core.tunix_backend.model.files.expected import expected_tensors
from tunixrt_core.tunix_backend.model.files.fit import check_weights
from tunixrt_core.tunix_backend.model.files.hub import OnProgress, download_model, no_progress
from tunixrt_core.tunix_backend.model.tiny import BUILTIN_MODELS, write_builtin_model
from tunixrt_core.util.host import device_kind


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to train or to generate. `config` is Tunix's, `mesh` is the mesh of its weights.

    `dtype` is the type that it computes in; weights that are trained may be held in another.
    """

    model: Any
    config: Any
    dtype: Any
    mesh: Any
    directory: Path
    architecture: Architecture
    trainable_parameters: int
    total_parameters: int  # including LoRA; a quantised weight counts as one

    @property
    def vocab_size(self) -> int:
        """Rows of the embedding table."""
        return int(self.config.num_embed if hasattr(self.config, "num_embed") else self.config.vocab_size)


def resolve_model(reference: str, models_dir: Path, on_progress: OnProgress = no_progress) -> Path:
    """The directory of a model: built in (written on first use), a path, or from a hub (downloaded on first use).

    `on_progress` is called during a download. Raises ModelError where there is no model of that name, with the fix.
    """
    if (found := _on_this_machine(reference, models_dir)) is not None:
        return found
    name = parse_model_name(reference)
    if name is None:
        raise ModelError(missing_model(reference))
    return download_model(name, models_dir / name.directory, on_progress)


def local_model(reference: str, models_dir: Path) -> Path:
    """As resolve_model without a download: raises ModelError, with the command, for a model that needs one."""
    if (found := _on_this_machine(reference, models_dir)) is not None:
        return found
    raise ModelError(missing_model(reference))


def _on_this_machine(reference: str, models_dir: Path) -> Path | None:
    directory = model_directory(reference, models_dir)
    if directory is not None and reference in BUILTIN_MODELS:
        return write_builtin_model(reference, directory)
    return directory


def make_mesh(section: MeshSection, batch_size: int) -> Any:
    """A mesh with the axes fsdp and tp over this host's devices; each fsdp part gets the same number of rows.

    Where the manifest leaves fsdp open, it is the largest number that divides both batch and devices. Raises ModelError
    for more devices than exist, and for a batch that cannot be divided: Tunix would give every row to every device.
    """
    import jax

    devices = jax.devices()
    check_device(device_kind(), devices[0].platform, os.environ)
    return mesh_over(devices, section, batch_size)


def mesh_over(devices: Sequence[Any], section: MeshSection, batch_size: int) -> Any:
    """As make_mesh, over these devices, which may be those of a TPU slice that only the compiler knows."""
    import jax

    fsdp, _ = section.shape_over(len(devices), batch_size)
    if batch_size % fsdp:
        raise ModelError(
            f"batch.size = {batch_size} cannot be spread over mesh.fsdp = {fsdp} devices. Make it a multiple of {fsdp}."
        )
    wanted = fsdp * section.tp
    if wanted > len(devices):
        raise ModelError(
            f"The mesh needs {fsdp} x {section.tp} = {wanted} devices, but JAX finds {len(devices)}. "
            "Lower mesh.fsdp or mesh.tp."
        )
    # Auto axes: with Explicit ones, the default of jax.make_mesh, Tunix's models do not trace
    auto = (jax.sharding.AxisType.Auto,) * 2
    return jax.make_mesh((fsdp, section.tp), ("fsdp", "tp"), axis_types=auto, devices=devices[:wanted])


def device_name(mesh: Any) -> str:
    """The devices of the mesh, such as `CPU` or `TPU v5 lite x 8`."""
    first = mesh.devices.flat[0]
    name = "CPU" if first.platform == "cpu" else str(first.device_kind)
    return name if mesh.devices.size == 1 else f"{name} x {mesh.devices.size}"


def model_config(manifest: RunManifest, architecture: Architecture) -> Any:
    """Tunix's ModelConfig for the manifest."""
    import jax.numpy as jnp

    family = FAMILIES[architecture.kind]
    module = family.model_module()
    config = family.config(module, architecture, jnp.dtype(manifest.model.dtype.value))
    return replace(config, remat_config=module.RematConfig[manifest.model.remat.name])


def load_model(manifest: RunManifest, models_dir: Path, mesh: Any, *, trains: bool = False) -> LoadedModel:
    """Load weights from disk onto the mesh, with fresh LoRA where the manifest trains LoRA.

    With `trains`, weights that are trained are in the type that they are held in; else all are in the type that the
    model computes in. The mesh must be entered in the calling thread. Raises ModelError for a model that is missing,
    broken, or of a kind that Tunix would train wrongly, and for a LoRA pattern that matches nothing.
    """
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from tunixrt_core.tunix_backend.model.lora.applied import add_lora
    from tunixrt_core.tunix_backend.model.precision import hold

    directory = resolve_model(manifest.model.id, models_dir)
    architecture = check_weights(directory)
    family = FAMILIES[architecture.kind]
    computed, adapts = jnp.dtype(manifest.model.dtype.value), manifest.method.adapts
    held = jnp.dtype(manifest.trained_dtype.value) if trains else computed
    module = family.model_module()
    config = model_config(manifest, architecture)
    try:
        model = family.load(str(directory), config, mesh, computed if adapts else held)
    except (ValueError, AssertionError, KeyError, AttributeError, TypeError) as error:
        first_line = str(error).split("\n", 1)[0][:300]
        raise ModelError(f"The weights in {directory} cannot be sharded over the mesh ({first_line}).") from error
    family.correct(model, module, architecture)
    base = sum(math.prod(shape) for shape in expected_tensors(architecture).values())
    trained = base
    if adapts:
        model = add_lora(model, architecture, manifest.lora, manifest.method, manifest.seed, mesh)
        hold(model, nnx.LoRAParam, held)
        trained = sum(int(leaf.size) for leaf in jax.tree.leaves(nnx.state(model, nnx.LoRAParam)))
        base += trained
    return LoadedModel(model, config, computed, mesh, directory, architecture, trained, base)
