"""Agreement of several processes that train one model."""

from __future__ import annotations

import os

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


def join(coordinator: str, processes: int, index: int) -> None:
    """Make this process one of several that train together. Call it before anything of JAX computes.

    `coordinator` is `host:port` of process 0, which listens there. Raises TrainingError where they do not find each
    other. Sums between CPUs use gloo; sums between accelerators use JAX's own transport.
    """
    if os.environ.get("JAX_PLATFORMS", "").startswith("cpu"):
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(coordinator, num_processes=processes, process_id=index, initialization_timeout=120)
    except RuntimeError as error:
        raise TrainingError(
            f"Process {index} of {processes} did not find the others at {coordinator} "
            f"({str(error).splitlines()[0]}). Start all of them within two minutes, with the same address."
        ) from error
