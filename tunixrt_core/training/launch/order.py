"""What is launched where: the checked wish behind every document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tunixrt_core.training.ahead.slices import Slice

Engine = Literal["skypilot", "gke", "kuberay", "gcloud"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
ON_KUBERNETES: tuple[Engine, ...] = ("gke", "kuberay")

# The TPU software version of a VM by chip; of a chip without one the Cloud TPU API makes none.
# Source: https://docs.cloud.google.com/tpu/docs/runtimes
RUNTIMES = {
    "v4": "tpu-ubuntu2204-base",
    "v5e": "v2-alpha-tpuv5-lite",
    "v5p": "v2-alpha-tpuv5",
    "v6e": "v2-alpha-tpuv6e",
}


@dataclass(frozen=True, slots=True)
class Order:
    """A run on a slice. `files` are the manifest and its data file here; on every host both are in one folder.

    `shared` is a folder that all hosts see: an NFS export `SERVER:/PATH`, on Kubernetes a PersistentVolumeClaim.
    `install` is what pip installs on a VM, `image` the container on Kubernetes. `model` is a folder of this machine
    that the run needs.
    """

    name: str
    on: Slice
    files: tuple[Path, Path]
    shared: str | None = None
    install: str = "tunix-rt[tpu]"
    image: str | None = None
    zone: str | None = None
    spot: bool = False
    model: str | None = None

    @property
    def manifest(self) -> str:
        """The name of the manifest's file."""
        return self.files[0].name

    @property
    def chips_per_host(self) -> int:
        return self.on.chips // self.on.hosts

    @property
    def accelerator(self) -> str:
        """The name of the slice for the Cloud TPU API: `v5litepod-16` for v5e-16."""
        kind, _, size = self.on.name.partition("-")
        return f"v5litepod-{size}" if kind == "v5e" else f"{kind}-{size}"


def resource_name(name: str) -> str:
    """A name of a run as the clouds take it: a DNS label of at most 40 letters, digits and hyphens."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    return plain if plain[:1].isalpha() else f"run-{plain}".strip("-")
