"""The machine of a run: device, its holder and free disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from tunixrt_core.util.host import Gpu, device_kind, gpus, memory_bytes

_DEVICES = {"tpu": "TPU", "cuda": "GPU", "gpu": "GPU", "rocm": "GPU", "cpu": "CPU"}


@dataclass(frozen=True, slots=True)
class Machine:
    """`holders` are other processes that hold the TPU; `has_plugin`: whether JAX can use the machine's device.

    `processes` of this kind train together. `gpus` are those that JAX may use.
    """

    device: str
    environ: Mapping[str, str]
    has_plugin: bool
    holders: tuple[str, ...]
    free_bytes: Callable[[Path], int]
    processes: int = 1
    host_bytes: int = field(default_factory=memory_bytes)
    gpus: tuple[Gpu, ...] = ()

    @property
    def asked_for(self) -> str | None:
        """TPU, GPU or CPU where JAX_PLATFORMS names one."""
        first = self.environ.get("JAX_PLATFORMS", "").lower().split(",")[0].strip()
        return _DEVICES.get(first)

    @property
    def cpu_devices(self) -> int:
        """Number of devices that JAX makes of the CPU, in all processes."""
        flags = self.environ.get("XLA_FLAGS", "").split()
        named = [flag.rpartition("=")[2] for flag in flags if "xla_force_host_platform_device_count=" in flag]
        count = named[-1] if named else self.environ.get("JAX_NUM_CPU_DEVICES", "1")
        return self.processes * (int(count) if count.isdigit() else 1)

    @property
    def tpu(self) -> tuple[str, int] | None:
        """Kind and number of the TPU's chips, where the host reports them, as Google's TPU VMs do: `v5litepod-8`."""
        kind, _, count = self.environ.get("TPU_ACCELERATOR_TYPE", "").lower().partition("-")
        if not count.isdigit():
            return None
        # for v4 and v5p the number is that of cores, two per chip
        chips = max(1, int(count) // 2) if kind in ("v4", "v5p") else int(count)
        return {"v5litepod": "v5e"}.get(kind, kind), chips


def this_machine(processes: int = 1) -> Machine:
    device = device_kind()
    # processes that train together may share the chips of one host
    holders = tuple(_holders(device)) if processes == 1 else ()
    found = gpus(os.environ) if device == "GPU" else ()
    return Machine(device, dict(os.environ), _has_plugin(device), holders, free_bytes, processes, gpus=found)


def free_bytes(path: Path) -> int:
    """Free bytes on the disk of a folder, which may not exist yet."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def _has_plugin(device: str) -> bool:
    if device == "TPU":
        return find_spec("libtpu") is not None
    names = [entry.name for entry in metadata.entry_points(group="jax_plugins")]
    return device == "CPU" or any("cuda" in name or "rocm" in name for name in names)


def _holders(device: str, proc: Path = Path("/proc")) -> Iterator[str]:
    """Other processes of this user that have a TPU open: only one can. A GPU is shared."""
    if device != "TPU":
        return
    for process in proc.glob("[0-9]*"):
        if process.name != str(os.getpid()) and _has_open(process, ("/dev/accel", "/dev/vfio/")):
            try:
                name = (process / "comm").read_text().strip()
            except OSError:
                continue
            yield f"{name} (process {process.name})"


def _has_open(process: Path, prefixes: tuple[str, ...]) -> bool:
    try:
        return any(os.readlink(link).startswith(prefixes) for link in (process / "fd").iterdir())
    except OSError:  # the process has ended, or belongs to another user
        return False
