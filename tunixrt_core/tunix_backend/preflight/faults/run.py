"""Faults of a run's values, mesh, output directory and disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tunixrt_core.manifest.hyperparameters import range_words
from tunixrt_core.manifest.manifest import HYPERPARAMETERS, RunManifest
from tunixrt_core.manifest.presets import preset
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.training.estimates.memory import bytes_of
from tunixrt_core.training.preflight.report import Finding, blocking, warning
from tunixrt_core.tunix_backend.preflight.faults.model import ModelFacts
from tunixrt_core.tunix_backend.preflight.machine import Machine

_KEPT_BESIDES = 2  # checkpoints beside the last n: the best one, and the one being written
_OF_ADAM = 3  # a weight and its two moments


def value_faults(manifest: RunManifest) -> Iterator[Finding]:
    """Hyperparameters outside their usual range. A run is possible with them, but rarely intended."""
    start = preset(manifest.model.id, manifest.method.value)
    for row, value, usual, effect in HYPERPARAMETERS.unusual(manifest.to_dict()):
        yield warning(
            "unusual_value",
            f"{row.key} = {value:g} is outside of its usual range for this model and method, {range_words(usual)}"
            f"{f': {effect}' if effect else ''}.",
            f"Choose a value in that range, such as {start.get(row.name, row.default):g}.",
            keys=(row.key,),
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
    # only JAX knows the number of devices of a TPU or GPU host; the worker asks it
    if (machine.asked_for or machine.device) == "CPU" and wanted > machine.cpu_devices:
        yield blocking(
            "mesh",
            f"The mesh needs {mesh.fsdp or 1} x {mesh.tp} = {wanted:,} devices, but JAX makes "
            f"{machine.cpu_devices:,} of this machine's CPU.",
            "Lower mesh.fsdp or mesh.tp.",
            keys=("mesh.fsdp", "mesh.tp"),
        )


def place_faults(folder: RunDir, *, is_new: bool) -> Iterator[Finding]:
    """`output_dir`: for a new run, the folder must not hold a run; the folder must always be writable."""
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
            "Choose another output_dir, or fix its permissions.",
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
    """Approximate bytes of one checkpoint: the trained weights and the two moments of AdamW."""
    lora, method = manifest.lora, manifest.method
    trained = facts.lora_parameters(lora.modules, lora.rank) if method.adapts else facts.parameters
    return trained * bytes_of(manifest.trained_dtype) * _OF_ADAM


def device_faults(machine: Machine) -> Iterator[Finding]:
    """Whether JAX would use the requested device. Where it cannot, it silently uses the CPU."""
    asked, has = machine.asked_for, machine.device
    if asked == "CPU" or (asked is None and has == "CPU"):
        return
    if asked not in (None, has):
        yield blocking(
            "device",
            f"JAX_PLATFORMS = {machine.environ['JAX_PLATFORMS']} asks for a {asked}, but this machine shows "
            f"{'none' if has == 'CPU' else f'a {has}'}.",
            "Start the run on a machine with one, or unset JAX_PLATFORMS.",
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
