"""What is wrong with a run's own values and its place: schedule, rate, mesh, output directory, disk, device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.presets import BUILTIN_MODEL_IDS
from tunixrt_core.manifest.sections import Dtype, Method
from tunixrt_core.runs.record import RunDir
from tunixrt_core.training.preflight import Finding, blocking, warning
from tunixrt_core.tunix_backend.preflight.machine import Machine
from tunixrt_core.tunix_backend.preflight.model_faults import ModelFacts

# Between these a learning rate is usual: below it little is learned, above it training tends to diverge.
_USUAL_RATES = {Method.FULL: (1e-6, 1e-4), Method.LORA: (1e-5, 1e-3), Method.QLORA: (1e-5, 1e-3)}
_USUAL_RATES_TINY = (1e-4, 2e-2)  # models so small that they learn nothing at the rates of large ones

_LONG_WARM_UP = 0.5
_KEPT_BESIDES = 2  # checkpoints beside the last n: the best one, and the one that is being written
_OF_ADAM = 3  # a weight and its two moments


def rate_faults(manifest: RunManifest) -> Iterator[Finding]:
    rate = manifest.optimizer.learning_rate
    tiny = manifest.model.id in BUILTIN_MODEL_IDS
    low, high = _USUAL_RATES_TINY if tiny else _USUAL_RATES[manifest.method]
    if not low <= rate <= high:
        effect = "little would be learned" if rate < low else "training tends to diverge"
        yield warning(
            "learning_rate",
            f"optimizer.learning_rate = {rate:g} is outside of {low:g} to {high:g}, which is usual for "
            f"{manifest.method.value}{' on a tiny model' if tiny else ''}: {effect}.",
            f"Choose one in that range, such as {(low * high) ** 0.5:.0e}.",
            keys=("optimizer.learning_rate", "method"),
        )


def warm_up_faults(manifest: RunManifest, train_steps: int) -> Iterator[Finding]:
    share = manifest.schedule.warmup_share
    warm_up = int(share * train_steps)
    if share and warm_up >= train_steps - 1 and train_steps > 1:
        yield blocking(
            "warm_up",
            f"The warm-up takes {warm_up:,} of {train_steps:,} train steps, so the full learning rate is reached when "
            "the run is over.",
            "Lower schedule.warmup_share, or train longer.",
            keys=("schedule.warmup_share", "duration"),
        )
    elif share > _LONG_WARM_UP:
        yield warning(
            "warm_up",
            f"The warm-up takes {warm_up:,} of {train_steps:,} train steps, more than half of the run.",
            "Lower schedule.warmup_share; 0.05 is usual.",
            keys=("schedule.warmup_share",),
        )


def mesh_faults(manifest: RunManifest, machine: Machine) -> Iterator[Finding]:
    size, mesh = manifest.batch.size, manifest.mesh
    if mesh.fsdp is not None and size % mesh.fsdp:
        yield blocking(
            "mesh",
            f"batch.size = {size:,} cannot be spread over mesh.fsdp = {mesh.fsdp:,} devices.",
            f"Make it a multiple of {mesh.fsdp:,}.",
            keys=("batch.size", "mesh.fsdp"),
        )
    wanted = (mesh.fsdp or 1) * mesh.tp
    # how many devices a TPU or GPU host has, JAX alone knows; the worker asks it
    if (machine.asked_for or machine.device) == "CPU" and wanted > machine.cpu_devices:
        yield blocking(
            "mesh",
            f"The mesh asks for {mesh.fsdp or 1} x {mesh.tp} = {wanted:,} devices, but JAX makes "
            f"{machine.cpu_devices:,} of this machine's CPU.",
            "Lower mesh.fsdp or mesh.tp.",
            keys=("mesh.fsdp", "mesh.tp"),
        )


def place_faults(folder: RunDir, *, is_new: bool) -> Iterator[Finding]:
    """`output_dir`: of a run that is new, the folder must hold none; it must be possible to write it in any case."""
    if is_new and folder.state_file.exists():
        yield blocking(
            "output_dir",
            f"{folder.path} already holds a run.",
            "Choose another output_dir, or resume that run.",
            keys=("output_dir",),
        )
    elif not _can_write(folder.path):
        yield blocking(
            "output_dir",
            f"The output directory {folder.path} cannot be written.",
            "Choose another output_dir, or mend its permissions.",
            keys=("output_dir",),
        )


def _can_write(path: Path) -> bool:
    while not path.exists():
        path = path.parent
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)


def disk_faults(manifest: RunManifest, folder: RunDir, facts: ModelFacts, machine: Machine) -> Iterator[Finding]:
    each = checkpoint_bytes(manifest, facts)
    count = manifest.cadence.keep_checkpoints + _KEPT_BESIDES
    need, free = each * count, machine.free_bytes(folder.path)
    if need > free:
        yield blocking(
            "disk",
            f"Checkpoints need about {_size(need)} ({count} of {_size(each)}), but {_size(free)} are free where "
            f"{folder.path} is.",
            "Make room, keep fewer (cadence.keep_checkpoints), or choose another output_dir.",
            keys=("cadence.keep_checkpoints", "output_dir"),
        )


def checkpoint_bytes(manifest: RunManifest, facts: ModelFacts) -> int:
    """Bytes of one checkpoint, about: what is trained and the two moments of AdamW."""
    lora, method = manifest.lora, manifest.method
    trained = facts.lora_parameters(lora.modules, lora.rank) if method.adapts else facts.parameters
    return trained * (4 if manifest.model.dtype is Dtype.FLOAT32 else 2) * _OF_ADAM


def device_faults(machine: Machine) -> Iterator[Finding]:
    """Whether JAX would compute on what was asked for. It takes the CPU without a word where it cannot."""
    asked, has = machine.asked_for, machine.device
    if asked == "CPU" or (asked is None and has == "CPU"):
        return
    if asked not in (None, has):
        yield blocking(
            "device",
            f"JAX_PLATFORMS = {machine.environ['JAX_PLATFORMS']} asks for a {asked}, but this machine shows "
            f"{'none' if has == 'CPU' else f'a {has}'}.",
            "Start it where there is one, or unset JAX_PLATFORMS.",
        )
    elif not machine.has_plugin:
        extra = {"TPU": "tpu", "GPU": "cuda"}[has]
        yield blocking(
            "device",
            f"This machine has a {has}, but JAX was installed without it and would compute on the CPU.",
            f'Install it with pip install "tunix-rt[{extra}]", or set JAX_PLATFORMS=cpu to use the CPU on purpose.',
        )
    elif machine.holders:
        yield blocking(
            "device",
            f"The TPU is held by {', '.join(machine.holders[:3])}, so JAX would compute on the CPU.",
            "End that process, or set JAX_PLATFORMS=cpu to use the CPU on purpose.",
        )


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
