"""Whether a train step fits into the device's memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.estimates.memory import DEVICE_MEMORY, MemoryNeed, ModelSizes, advise, estimate, need_of
from tunixrt_core.training.preflight.report import Finding, warning
from tunixrt_core.tunix_backend.preflight.machine import Machine
from tunixrt_core.util.host import gpu_share


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """`limit` bytes per device of `devices`; `shared` by all of them where they are parts of one host's CPU."""

    devices: int
    limit: int
    where: str
    shared: bool = False


def device_memory(machine: Machine) -> DeviceMemory | None:
    """The memory of the devices that a run would use; None where it is unknown."""
    if (machine.asked_for or machine.device) == "CPU":
        return DeviceMemory(machine.cpu_devices, machine.host_bytes, "this machine", shared=True)
    if machine.device == "GPU" and machine.gpus:
        smallest = min(machine.gpus, key=lambda gpu: gpu.memory_bytes)
        limit, where = gpu_limit(smallest.memory_bytes, smallest.name, machine.environ)
        return DeviceMemory(len(machine.gpus) * machine.processes, limit, where)
    if machine.device == "TPU" and machine.tpu is not None and machine.tpu[0] in DEVICE_MEMORY:
        where, devices = machine.tpu
        return DeviceMemory(devices, DEVICE_MEMORY[where], where)
    return None


def gpu_limit(memory_bytes: int, name: str, environ: Mapping[str, str]) -> tuple[int, str]:
    """The part of a GPU's memory that JAX takes, in bytes, and the GPU's name with that share."""
    share = gpu_share(environ)
    return int(memory_bytes * share), f"{name}, of which JAX takes {share:.0%}"


def memory_need(
    manifest: RunManifest, sizes: ModelSizes, machine: Machine, row_length: int
) -> tuple[MemoryNeed, int] | None:
    """The memory that a train step needs, and over how many devices; None where the device's memory is unknown."""
    found = device_memory(machine)
    if found is None:
        return None
    report = estimate(sizes, manifest, row_length=row_length, devices=found.devices)
    return need_of(report, found.limit, found.where, shared=found.shared), found.devices


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
