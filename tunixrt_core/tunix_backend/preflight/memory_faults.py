"""Whether a train step fits into the memory of the device, from config.json alone."""

from __future__ import annotations

from collections.abc import Iterator

from tunixrt_core.manifest import RunManifest
from tunixrt_core.memory import DEVICE_MEMORY, MemoryNeed, ModelSizes, advise, estimate, need_of
from tunixrt_core.preflight import Finding, warning
from tunixrt_core.tunix_backend.preflight.machine import Machine


def memory_need(
    manifest: RunManifest, sizes: ModelSizes, machine: Machine, row_length: int
) -> tuple[MemoryNeed, int] | None:
    """What a train step needs, and over how many devices; None where the memory of the device is not known."""
    if (machine.asked_for or machine.device) == "CPU":
        devices, limit, where = machine.cpu_devices, machine.host_bytes, "this machine"
    elif machine.device == "TPU" and machine.tpu is not None and machine.tpu[0] in DEVICE_MEMORY:
        where, devices = machine.tpu
        limit = DEVICE_MEMORY[where]
    else:
        return None
    report = estimate(sizes, manifest, row_length=row_length, devices=devices)
    return need_of(report, limit, where, shared=where == "this machine"), devices


def memory_faults(need: MemoryNeed, manifest: RunManifest, sizes: ModelSizes, devices: int) -> Iterator[Finding]:
    if need.fits:
        return
    advice = advise(need, manifest, sizes, devices)
    named = [
        f"{one.words.rstrip('.')} ({', '.join(f'{key}={value}' for key, value in one.changes.items())})."
        if one.changes
        else one.words
        for one in advice
    ]
    yield warning(
        "memory",
        f"A train step needs {need.sentence}. `tunixrt memory` counts it exactly.",
        " ".join(named),
        keys=("batch.size", "max_seq_length", "model.remat", "model.dtype"),
    )
