"""The mesh that the calling thread has entered, and the sharding of arrays."""

from __future__ import annotations

import math
from typing import Any

from jax.interpreters import pxla
from jax.sharding import NamedSharding, PartitionSpec


def entered_mesh() -> Any | None:
    """The mesh that Tunix's models are traced in, which `with mesh:` enters; None outside of one."""
    mesh = pxla.thread_resources.env.physical_mesh
    return None if mesh.empty else mesh


def sharding_of(shape: tuple[int, ...], spec: Any, mesh: Any) -> NamedSharding:
    """Where an array of this PartitionSpec, or None, lies; an axis that the mesh does not divide is not split."""
    axes = []
    for size, names in zip(shape, tuple(spec or ()), strict=False):
        parts = math.prod(mesh.shape[name] for name in ((names,) if isinstance(names, str) else names or ()))
        axes.append(names if size % parts == 0 else None)
    return NamedSharding(mesh, PartitionSpec(*axes))
