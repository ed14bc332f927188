"""Layouts of activations, which Tunix leaves out on a CPU host."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec

from tunixrt_core.tunix_backend.model.entered import entered_mesh

_HOLDERS = ("tunix.models.", "tunix.utils.sharding_utils")  # modules that define or import `shard`


@contextmanager
def constrained() -> Iterator[None]:
    """Within the block Tunix's models lay out their activations over the entered mesh, whatever this host computes on.

    Tunix 0.1.7 skips that where the first device of the process is a CPU, and so in every program that is compiled on a
    CPU host for other devices: its memory and traffic are not those of the run. The block is for tracing, by one
    thread. Modules have to be imported before it.
    """
    before = [(vars(module), vars(module)["shard"]) for module in _modules()]
    for names, _ in before:
        names["shard"] = _shard
    try:
        yield
    finally:
        for names, shard in before:
            names["shard"] = shard


def _modules() -> list[ModuleType]:
    named = [module for name, module in list(sys.modules.items()) if name.startswith(_HOLDERS)]
    return [module for module in named if callable(vars(module).get("shard"))]


def _shard(x: Any, axes: Any, eager: bool = False) -> Any:
    """Tunix's `shard` as it is on an accelerator; `eager` is for arrays outside of a traced function."""
    mesh = entered_mesh()
    if mesh is None:
        return x
    sharding = NamedSharding(mesh, PartitionSpec(*axes))
    return jax.device_put(x, sharding) if eager else jax.lax.with_sharding_constraint(x, sharding)
