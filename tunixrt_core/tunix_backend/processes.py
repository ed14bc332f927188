"""Several processes that train one model together: what they must agree on, and who writes."""

from __future__ import annotations

import jax
import numpy as np


def writes() -> bool:
    """Whether this process writes metrics, logs and reports: one of them does, as all compute the same."""
    return jax.process_index() == 0


def agree(*asked: bool) -> tuple[bool, ...]:
    """For each question, True in every process where it is True in any: all must leave the loop at the same train
    step, or the others wait for ever for the one that left."""
    if jax.process_count() == 1:
        return asked
    from jax.experimental.multihost_utils import process_allgather

    return tuple(bool(found) for found in np.any(process_allgather(np.asarray(asked)), axis=0))
