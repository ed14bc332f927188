"""Checkpoint schedule and retention, never of broken weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from flax import nnx

from tunixrt_core.errors import OutputError, TrainingError
from tunixrt_core.runs.metrics import CheckpointMetric
from tunixrt_core.training.trainer import TrainObserver
from tunixrt_core.util.files.space import unwritable


class KeepLatestAndBest:
    """An orbax PreservationPolicy: the last `n` checkpoints, and the one that `best` names."""

    def __init__(self, n: int, best: Callable[[], int | None]) -> None:
        self._n = n
        self._best = best

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        first_kept = len(checkpoints) - self._n
        return [i >= first_kept or info.step == self._best() for i, info in enumerate(checkpoints)]


def checkpoint_options(keep: int, best: Callable[[], int | None]) -> ocp.CheckpointManagerOptions:
    return ocp.CheckpointManagerOptions(
        save_interval_steps=1,  # CheckpointGate decides
        preservation_policy=KeepLatestAndBest(keep, best),
        enable_async_checkpointing=False,  # a checkpoint is complete when the next train step begins
    )


class CheckpointGate:
    """Replaces a trainer's checkpoint manager: saves at the manifest's cadence, and never broken weights."""

    def __init__(
        self,
        inner: Any,
        directory: Path,
        every: int,
        *,
        pause: Callable[[str], AbstractContextManager[None]],
        report_pending: Callable[[], None],
        metadata: Callable[[int], Mapping[str, Any]],
        observer: TrainObserver,
    ) -> None:
        self._inner = inner
        self._directory = directory
        self._every = every
        self._pause = pause
        self._report_pending = report_pending
        self._metadata = metadata
        self._observer = observer

    def latest_step(self) -> int | None:
        step: int | None = self._inner.latest_step()
        return step

    def save(self, step: int, model: Any, optimizer: Any = None, *, force: bool = False, **kwargs: Any) -> bool:
        """Called by Tunix after each train step, and at the end with `force`."""
        if not force and step % self._every:
            return False
        return self.write(step, model, optimizer, "end" if force else "cadence", kwargs["save_only_lora_params"])

    def write(self, step: int, model: Any, optimizer: Any, reason: str, lora: bool) -> bool:
        """Write the checkpoint of `step`, unless it exists. Raises TrainingError for weights that are not finite.

        The train step is reported first, so that a run that is killed from here on resumes without a gap.
        """
        self._report_pending()
        if self.latest_step() == step:
            return False
        began = time.perf_counter()
        with self._pause("saving"):
            if not_finite(model, nnx.LoRAParam if lora else nnx.Param):
                raise TrainingError(
                    f"The weights are not finite after train step {step:,}, so they were not saved. "
                    "Lower the learning rate or max_grad_norm; the earlier checkpoints are kept."
                )
            saved = self._save(step, model, optimizer, lora)
        seconds = time.perf_counter() - began
        self._observer.record(CheckpointMetric(train_step=step, reason=reason, seconds=seconds))
        return saved

    def close(self) -> None:
        self._inner.close()

    def _save(self, step: int, model: Any, optimizer: Any, lora: bool) -> bool:
        try:
            return bool(
                self._inner.save(
                    step,
                    model,
                    optimizer,
                    save_only_lora_params=lora,
                    force=True,
                    custom_metadata=dict(self._metadata(step)),
                )
            )
        except OSError as error:
            why = unwritable(self._directory, error)
            why = why or f"The system says: {error.strerror or error}. Fix that, then resume the run."
            raise OutputError(f"The checkpoint {self._directory / str(step)} cannot be written. {why}") from error


def not_finite(model: Any, kind: type) -> list[str]:
    """The variables of this kind that hold NaN or an infinity, by their paths in the model."""
    leaves = {
        ".".join(str(getattr(key, "key", key)) for key in path): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(nnx.state(model, kind).to_pure_dict())
        if jnp.issubdtype(leaf.dtype, jnp.floating)  # not quantised ones
    }
    finite: Any = np.asarray(_finite(list(leaves.values())))
    return [name for name, good in zip(leaves, finite, strict=True) if not good]


@jax.jit
def _finite(leaves: list[Any]) -> jax.Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves])
