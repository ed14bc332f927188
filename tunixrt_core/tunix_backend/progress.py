"""Between Tunix's PeftTrainer and the rest of the house: feeds batches, ends on request, evaluates, saves, reports."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from tunix.sft import hooks
from tunix.sft.sharding_utils import shard_input

from tunixrt_core.errors import OutputError, TrainingError
from tunixrt_core.manifest import RunManifest
from tunixrt_core.trainer import TrainObserver
from tunixrt_core.tunix_backend.batches import TokenBatch, TrainBatches
from tunixrt_core.tunix_backend.loss import ModelBatch, eval_loss_sum, model_batch
from tunixrt_core.tunix_backend.optimizer import Schedule


class LastMetrics:
    """In place of Tunix's MetricsLogger, which keeps every value for ever and can listen to the whole process."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def log(self, prefix: str, name: str, value: Any, mode: Any, step: int) -> None:
        self.values[name] = float(value)

    def close(self) -> None:
        """Nothing is held open."""


class RunHooks(hooks.DataHooks, hooks.TrainingHooks):
    """One training from the side of the data and of the reports.

    Evaluation happens here, between two train steps, because Tunix's own reports an unweighted sum over batches and
    leaves out the last train step.
    """

    def __init__(
        self,
        manifest: RunManifest,
        *,
        batches: TrainBatches,
        evals: Sequence[TokenBatch],
        model: Any,
        schedule: Schedule,
        total: int,
        metrics: LastMetrics,
        observer: TrainObserver,
        stop: threading.Event,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._manifest = manifest
        self._batches = batches
        self._evals = evals
        self._model = model
        self._schedule = schedule
        self._total = total
        self._metrics = metrics
        self._observer = observer
        self._stop = stop
        self._clock = clock
        self._micro = manifest.batch.gradient_accumulation
        self._restored = 0
        self._evaluated_at = -1
        self._waiting_eval: dict[str, Any] | None = None
        self._step_began = clock()
        self._paused = 0.0
        self.train_loss: float | None = None
        self.eval_loss: float | None = None

    def begin(self, restored: int) -> None:
        """Say after which train step the training goes on, before it does."""
        self._restored = restored
        if 0 < restored < self._total:
            self._evaluated_at = restored  # it was, where it was due, before the run was ended

    # -- data ---------------------------------------------------------------------------------------------------

    def load_next_train_batch(self, train_ctx: Any) -> ModelBatch | None:
        """The next micro-batch; None ends the training, after the train step under way."""
        done, k = train_ctx.train_steps, train_ctx.iter_steps
        between_steps = k % self._micro == 0
        if k > self._restored * self._micro:
            self._observer.phase("training")  # the first train step has been compiled
        if self._stop.is_set():
            return None
        if between_steps and self._evaluation_is_due(done):
            self._evaluate(done)
        if done >= self._total:
            return None
        if k == self._restored * self._micro:
            self._observer.phase("compiling")
            self._step_began = self._clock()
            self._paused = 0.0
        return model_batch(self._batches.batch(k), self._tokens_of(done) / self._micro)

    def load_next_eval_batch(self, train_ctx: Any) -> None:
        """Tunix's own evaluation is not used."""

    def _tokens_of(self, train_step_index: int) -> int:
        return self._batches.trained_tokens(train_step_index * self._micro, self._micro)

    # -- evaluation ---------------------------------------------------------------------------------------------

    def _evaluation_is_due(self, done: int) -> bool:
        due = done % self._manifest.cadence.eval_every == 0 or done >= self._total
        return bool(self._evals) and due and done != self._evaluated_at

    def _evaluate(self, done: int) -> None:
        with self.pause("evaluating" if done > self._restored else "compiling"):
            summed = [eval_loss_sum(self._model, shard_input(model_batch(b), ("fsdp",))) for b in self._evals]
            loss = sum(float(value) for value in summed) / sum(b.trained_tokens for b in self._evals)
        self._evaluated_at = done
        self.eval_loss = loss
        record = {"kind": "eval", "train_step": done, "loss": loss}
        if done > self._restored:
            self._waiting_eval = record  # Tunix reports a train step only when the next one has begun
        else:
            self._observer.record(record)

    @contextmanager
    def pause(self, phase: str) -> Iterator[None]:
        """Time inside does not count as training, and the phase is shown."""
        jax.block_until_ready(nnx.state(self._model))
        began = self._clock()
        self._observer.phase(phase)
        try:
            yield
        finally:
            self._paused += self._clock() - began
        self._observer.phase("training" if phase != "compiling" else phase)

    # -- reports ------------------------------------------------------------------------------------------------

    def on_train_step_end(self, train_ctx: Any, train_step: int, train_loss: float) -> None:
        loss, now = float(train_loss), self._clock()
        seconds = max(now - self._step_began - self._paused, 1e-9)
        self._step_began, self._paused = now, 0.0
        rate = float(self._schedule(train_step - 1))
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss is not a number at train step {train_step:,} (learning rate {rate:g}). "
                "Lower the learning rate or max_grad_norm; the checkpoints from before are kept."
            )
        self.train_loss = loss
        batch = self._manifest.batch
        self._observer.record(
            {
                "kind": "train",
                "train_step": int(train_step),
                "loss": loss,
                "learning_rate": rate,
                "grad_norm": self._metrics.values["grad_norm"],
                "tokens_per_second": self._tokens_of(train_step - 1) / seconds,
                "step_seconds": seconds,
                "epoch": train_step * batch.size * batch.gradient_accumulation / self._batches.rows,
            }
        )
        if self._waiting_eval is not None and self._waiting_eval["train_step"] <= train_step:
            self._observer.record(self._waiting_eval)
            self._waiting_eval = None

    def on_train_start(self, train_ctx: Any) -> None:
        """Nothing to do."""

    def on_train_end(self, train_ctx: Any) -> None:
        """Nothing to do: the last train step is reported after this."""

    def on_train_step_start(self, train_ctx: Any) -> None:
        """Nothing to do."""

    def on_eval_step_start(self, train_ctx: Any) -> None:
        """Never called: see load_next_eval_batch."""

    def on_eval_step_end(self, train_ctx: Any, eval_loss: float) -> None:
        """Never called: see load_next_eval_batch."""


class CheckpointGate:
    """In place of a trainer's checkpoint manager: saves when the manifest says, and never weights that are broken."""

    def __init__(self, inner: Any, directory: Path, every: int, run: RunHooks) -> None:
        self._inner = inner
        self._directory = directory
        self._every = every
        self._run = run

    def latest_step(self) -> int | None:
        step: int | None = self._inner.latest_step()
        return step

    def save(self, step: int, model: Any, optimizer: Any = None, *, force: bool = False, **kwargs: Any) -> bool:
        """Save on every n-th train step, and whenever forced. Raises TrainingError for weights that are not finite."""
        if not force and step % self._every:
            return False
        with self._run.pause("saving"):
            if not bool(_all_finite(nnx.state(model, nnx.Param))):
                raise TrainingError(
                    f"The weights are not numbers any more after train step {step:,}, so they were not saved. "
                    "Lower the learning rate or max_grad_norm; the checkpoints from before are kept."
                )
            try:
                return bool(self._inner.save(step, model, optimizer, force=True, **kwargs))
            except OSError as error:
                reason = error.strerror or error
                raise OutputError(
                    f"The checkpoint {self._directory / str(step)} cannot be written ({reason}). "
                    "Mend that, then resume the run."
                ) from error

    def close(self) -> None:
        self._inner.close()


@jax.jit
def _all_finite(state: Any) -> jax.Array:
    leaves = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state)]
    return jnp.stack(leaves).all()
