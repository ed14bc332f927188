"""AdamW with the manifest's schedule and gradient clipping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import ScheduleKind

Schedule = Callable[[Any], Any]


def make_schedule(manifest: RunManifest, total: int) -> Schedule:
    """The learning rate by the number of train steps already done, 0 for the first.

    It rises in equal parts over the warm-up, is full on the train step after it, and ends at
    final_share x learning_rate on the last one. For a number it returns a number, computed without the device: there it
    would be queued behind the current train step, and the caller would wait for that.
    """
    peak, section = manifest.optimizer.learning_rate, manifest.schedule
    warm_up = min(int(section.warmup_share * total), total - 1)
    final = section.final_share

    def schedule(done: Any) -> Any:
        xp: Any = np if isinstance(done, int) else jnp
        rising = (done + 1) / (warm_up + 1)
        share = xp.clip((done - warm_up) / max(1, total - 1 - warm_up), 0.0, 1.0)
        if section.kind is ScheduleKind.COSINE:
            falling = final + (1 - final) * 0.5 * (1 + xp.cos(xp.pi * share))
        elif section.kind is ScheduleKind.LINEAR:
            falling = final + (1 - final) * (1 - share)
        else:
            falling = xp.ones_like(share)
        return peak * xp.where(done < warm_up, rising, falling)

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
