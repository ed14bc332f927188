"""AdamW with the manifest's schedule and gradient clipping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.learning_rate import NUMBERS, learning_rate

Schedule = Callable[[Any], Any]


def make_schedule(manifest: RunManifest, total: int) -> Schedule:
    """The learning rate by the number of train steps already done: a number for a number, computed without the device,
    and an array for an array.
    """

    def schedule(done: Any) -> Any:
        return learning_rate(manifest, total, done, NUMBERS if isinstance(done, int) else jnp)

    return schedule


def make_optimizer(manifest: RunManifest, schedule: Schedule) -> optax.GradientTransformation:
    """Clipping by global norm (where the manifest sets it), then AdamW. Vectors such as norm scales are not decayed."""
    section = manifest.optimizer
    adamw = optax.adamw(
        schedule,
        b1=section.b1,
        b2=section.b2,
        weight_decay=section.weight_decay,
        mask=lambda params: jax.tree.map(lambda leaf: jnp.ndim(leaf) > 1, params),
    )
    if section.max_grad_norm is None:
        return adamw
    return optax.chain(optax.clip_by_global_norm(section.max_grad_norm), adamw)
