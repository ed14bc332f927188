"""Facts of this machine without JAX: accelerator, memory, disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tunixrt_core.util.processes.identity import resident_bytes

# JAX's default share of a GPU's memory.
GPU_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class HostInfo:
    """`device` is TPU, GPU or CPU as the device files tell; a run's own state names what JAX really used."""

    device: str
    cores: int
    memory_bytes: int
    disk_free_bytes: int


@dataclass(frozen=True, slots=True)
class Gpu:
    """An NVIDIA GPU, as its driver names it."""

    name: str
    memory_bytes: int


def host_info(home: Path) -> HostInfo:
    return HostInfo(device_kind(), os.cpu_count() or 1, memory_bytes(), shutil.disk_usage(_existing(home)).free)


@cache  # a machine keeps what it has, and every page asks
def device_kind(dev: Path = Path("/dev")) -> str:
    """`TPU` for the device files that libtpu opens, `GPU` for NVIDIA's, else `CPU`."""
    if any(dev.glob("accel[0-9]*")) or any(dev.glob("vfio/[0-9]*")):
        return "TPU"
    if any(dev.glob("nvidia[0-9]*")):
        return "GPU"
    return "CPU"


def memory_bytes() -> int:
    """Memory of this machine in bytes, used or not."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Bytes of this machine's memory: what one process holds, what others hold, and what can still be had."""

    process: int
    others: int
    free: int


def memory_use(pid: int, proc: Path = Path("/proc")) -> MemoryUse | None:
    """How the memory of this machine is used now; None if the system does not report it, or the process is gone."""
    try:
        told = dict(line.split(":", 1) for line in (proc / "meminfo").read_text().splitlines())
        total, free = (1024 * int(told[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        return None
    held = resident_bytes(pid, proc)
    return None if held is None else MemoryUse(held, max(0, total - free - held), free)


def gpus(environ: Mapping[str, str], command: Sequence[str] = ("nvidia-smi",)) -> tuple[Gpu, ...]:
    """The NVIDIA GPUs that a process with this environment may use; empty if the driver's command reports none."""
    asked = [*command, "--query-gpu=index,uuid,memory.total,name", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [[field.strip() for field in line.split(",", 3)] for line in told.splitlines()]
    found = [(row[0], row[1], Gpu(row[3], int(row[2]) << 20)) for row in rows if len(row) == 4 and row[2].isdigit()]
    wanted = environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return tuple(gpu for _, _, gpu in found)
    named = [one.strip() for one in wanted.split(",")]
    return tuple(gpu for index, uuid, gpu in found if any(one in (index, uuid) for one in named))


def gpu_share(environ: Mapping[str, str]) -> float:
    """The share of a GPU's memory that JAX takes at most in a process with this environment."""
    for name in ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"):
        try:
            return float(environ[name])
        except (KeyError, ValueError):
            continue
    return GPU_SHARE


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
