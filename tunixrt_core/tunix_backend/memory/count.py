"""Memory of a train step: an estimate, or counted by the compiler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tunixrt_core.errors import ModelError, TunixRTError
from tunixrt_core.manifest.manifest import RunManifest, load_manifest
from tunixrt_core.manifest.sections import ALL_LORA_MODULES
from tunixrt_core.training.estimates.memory import MemoryReport, ModelSizes, estimate, mesh_of
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.configs.reading import read_architecture
from tunixrt_core.tunix_backend.model.files.expected import parameter_count
from tunixrt_core.tunix_backend.model.files.fit import check_weights
from tunixrt_core.tunix_backend.model.lora.targets import lora_parameters, lora_targets
from tunixrt_core.tunix_backend.model.models import local_model

_REFUSED = 3  # exit code: the last line on standard error is a message for the user


def sizes_of(architecture: Architecture, manifest: RunManifest) -> ModelSizes:
    """The inputs of the closed form. Raises ModelError for a LoRA pattern that cannot be used."""
    targets = lora_targets(architecture, manifest.lora.modules if manifest.method.adapts else ALL_LORA_MODULES)
    hidden = sum(architecture.hidden_dim_of(i) for i in range(architecture.layers)) // architecture.layers
    return ModelSizes(
        layers=architecture.layers,
        vocab=architecture.vocab_size or 0,
        embed=architecture.embed_dim,
        hidden=hidden * (architecture.experts.per_token if architecture.experts else 1),
        heads=architecture.heads,
        kv_heads=architecture.kv_heads,
        head_dim=architecture.head_dim,
        parameters=parameter_count(architecture),
        adapted=sum(module.inputs * module.outputs for module in targets),
        lora=lora_parameters(targets, manifest.lora.rank),
        per_token=architecture.layers * architecture.gemma4.per_layer_dim if architecture.gemma4 else 0,
    )


def estimate_manifest(
    manifest: RunManifest, models_dir: Path, *, devices: int = 1, row_length: int | None = None
) -> tuple[MemoryReport, ModelSizes]:
    """The closed form, from config.json alone; rows have max_seq_length tokens where no length is given.

    Raises ModelError for a model that is not on this machine.
    """
    sizes = sizes_of(read_architecture(local_model(manifest.model.id, models_dir)), manifest)
    return estimate(sizes, manifest, row_length=row_length or manifest.max_seq_length, devices=devices), sizes


def measure(manifest: RunManifest, models_dir: Path, *, devices: int = 1) -> MemoryReport:
    """The memory that the compiler counts for the real train step, without loading weights.

    Runs in a process of its own, on forced CPU devices, so that it never uses an accelerator; takes seconds to minutes.
    `devices` is the number of devices where the mesh takes all of them. Raises ModelError.
    """
    fsdp, tp = mesh_of(manifest, devices)
    environ = {**os.environ, **environment(fsdp * tp)}
    for name in ("JAX_NUM_CPU_DEVICES", "JAX_COORDINATOR_ADDRESS"):
        environ.pop(name, None)
    with TemporaryDirectory(prefix="tunixrt-memory-") as scratch:
        file = Path(scratch) / "manifest.json"
        file.write_text(manifest.to_json(), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "tunixrt_core.tunix_backend.memory.count",
            str(file),
            str(models_dir.absolute()),
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    lines = done.stderr.strip().splitlines() or ["it ended without a message"]
    if done.returncode == _REFUSED:
        raise ModelError(lines[-1])
    if done.returncode:
        raise ModelError(f"The train step could not be compiled ({lines[-1][:300]}). Use the estimate: --estimate.")
    return MemoryReport(**json.loads(done.stdout.strip().splitlines()[-1]))


def environment(devices: int) -> dict[str, str]:
    """The variables of a process that counts for this many devices."""
    flags = (
        f"--xla_force_host_platform_device_count={devices}",
        "--xla_disable_hlo_passes=cse_barrier_expander",  # else XLA undoes remat on a CPU
    )
    return {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": " ".join(flags)}


def count(manifest: RunManifest, models_dir: Path) -> MemoryReport:
    """The report of `measure`, compiled in this process for the devices that it has. Raises TunixRTError."""
    from tunixrt_core.tunix_backend.data.batches import train_batches
    from tunixrt_core.tunix_backend.data.encoding import require_rows
    from tunixrt_core.tunix_backend.data.rows import load_data
    from tunixrt_core.tunix_backend.memory.abstract_step import compile_step
    from tunixrt_core.tunix_backend.model.models import make_mesh

    architecture = check_weights(local_model(manifest.model.id, models_dir))
    data = load_data(manifest, models_dir)
    require_rows(data.train, manifest.max_seq_length)
    batches = train_batches(
        data.train.rows, manifest.batch, max_length=manifest.max_seq_length, seed=manifest.seed, pad_id=data.pad_id
    )
    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    return compile_step(manifest, architecture, mesh, row_length=batches.lengths[-1], parts=len(data.parts))


def main(manifest_file: str, models_dir: str) -> int:
    """Print the report as JSON; for a refused manifest, a message on standard error and the exit code 3."""
    try:
        report = count(load_manifest(Path(manifest_file)), Path(models_dir))
    except TunixRTError as error:
        sys.stderr.write(f"{error}\n")
        return _REFUSED
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
