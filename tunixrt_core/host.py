"""What this machine offers, found without importing jax: which kind of accelerator, how much memory and disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HostInfo:
    """`device` is TPU, GPU or CPU as the device files tell; a run's own state names what JAX really used."""

    device: str
    cores: int
    memory_bytes: int
    disk_free_bytes: int


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
    """Of this machine, used or not."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
