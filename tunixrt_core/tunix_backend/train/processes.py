"""Agreement of several processes that train one model."""

from __future__ import annotations

import os
from typing import Any

import jax
import numpy as np

from tunixrt_core.errors import TrainingError


def writes() -> bool:
    """Whether this process writes metrics, logs and reports: one process does, as all compute the same."""
    return jax.process_index() == 0


def agree(*asked: bool) -> tuple[bool, ...]:
    """For each flag, True in every process where it is True in any: all must leave the loop at the same train
    step, or the others wait forever for the one that left."""
    if jax.process_count() == 1:
        return asked
    from jax.experimental.multihost_utils import process_allgather

    return tuple(bool(found) for found in np.any(process_allgather(np.asarray(asked)), axis=0))


def begin_together(*, ready: bool) -> None:
    """Wait until every process has reported whether it can begin. Raises TrainingError in a process that can where
    another cannot: it would wait for the other one forever in the first sum.
    """
    (refused,) = agree(not ready)
    if ready and refused:
        raise TrainingError("Another process refused the run before it began. See its own message for the reason.")


def join(coordinator: str, processes: int, index: int, *, only_there: bool = False) -> None:
    """Make this process one of several that train together. Call it before anything of JAX computes.

    `coordinator` is `host:port` of process 0, which listens there, and by JAX's default on all other addresses of its
    machine too; with `only_there` the host is an address of that machine, and it listens on no other. Raises
    TrainingError where they do not find each other. Sums between CPUs use gloo; sums between accelerators use JAX's own
    transport.
    """
    if os.environ.get("JAX_PLATFORMS", "").startswith("cpu"):
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            coordinator,
            num_processes=processes,
            process_id=index,
            initialization_timeout=120,
            coordinator_bind_address=coordinator if only_there else None,
        )
    except RuntimeError as error:
        raise TrainingError(
            f"Process {index} of {processes} did not find the others at {coordinator} "
            f"({str(error).splitlines()[0]}). Start all of them within two minutes, with the same address."
        ) from error


def require_joined(processes: int) -> None:
    """Raises TrainingError where another library was to make this process one of several, and did not."""
    if jax.process_count() != processes:
        raise TrainingError(f"JAX knows of {jax.process_count()} processes, and {processes} are to train together.")


def listen_only_there() -> None:
    """For another library that calls `jax.distributed.initialize` without an address to listen on: from now on that is
    the address of the coordinator, not JAX's default, which is all of the machine.
    """
    initialize = jax.distributed.initialize

    def there(coordinator: str, *given: Any, **options: Any) -> None:
        initialize(coordinator, *given, coordinator_bind_address=coordinator, **options)

    jax.distributed.initialize = there
