"""PeftTrainer with access to aux values and pending reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import jax
import optax

from tunixrt_core.tunix_backend.train.step.compiled import InPlaceTrainer, compile_in_place
from tunixrt_core.tunix_backend.train.step.loss import LossFunction


class RunTrainer(InPlaceTrainer):
    """All uses of private names of Tunix 0.1.7 are in this class."""

    on_aux: Callable[[Any], None] = staticmethod(lambda aux: None)

    def _train_step(self, model: Any, optimizer: Any, inputs: Any) -> Any:
        """Tunix's train step, with the norm of the gradient that is clipped: with accumulation, of the mean so far.

        Tunix gives the norm of each micro-batch's gradient, whose mean is larger than the norm of the mean.
        """
        norms: list[Any] = []

        def update(model: Any, gradients: Any) -> None:
            norms.append(optax.global_norm(_accumulated(optimizer.opt_state, gradients)))
            optimizer.update(model, gradients)

        loss, aux, _ = super()._train_step(model, SimpleNamespace(update=update), inputs)
        return loss, aux, norms[0]

    def _buffer_metrics(self, metrics_buffer: Any, loss: Any, step: int, additional_metrics: Any = None) -> Any:
        """Of the norms of a train step's micro-batches, the last one is that of the whole gradient."""
        last = {name: (value, lambda values: values[-1]) for name, (value, _) in (additional_metrics or {}).items()}
        return super()._buffer_metrics(metrics_buffer, loss, step, last)

    def _post_process_train_step(self, aux: Any) -> None:
        self.on_aux(aux)

    def report_pending(self) -> None:
        """Report the last train step now; Tunix waits until the next one was given to the device."""
        if self._prev_buffered_train_metrics is not None:
            self._write_train_metrics()

    @property
    def restored_metadata(self) -> Mapping[str, Any]:
        """The metadata of the checkpoint that the trainer was restored from; empty where there was none."""
        return self._restored_custom_metadata or {}


def _accumulated(state: Any, gradients: Any) -> list[Any]:
    """The arrays of the mean gradient of the train step so far, as optax.MultiSteps accumulates it."""
    new = jax.tree.leaves(gradients)
    if not isinstance(state, optax.MultiStepsState):
        return new
    (done,) = jax.tree.leaves(state.mini_step)
    return [old + (each - old) / (done + 1) for old, each in zip(jax.tree.leaves(state.acc_grads), new, strict=True)]


def compiled_step(loss: LossFunction, *, lora: bool) -> Any:
    """`(model, optimizer, ModelBatch)` -> one train step, as Tunix gives it to the compiler, without a trainer."""
    trainer = object.__new__(RunTrainer)  # its constructor needs weights and a folder for checkpoints
    trainer._lora_enabled = lora
    trainer.with_loss_fn(loss.mean, has_aux=True).with_gen_model_input_fn(loss.inputs)
    return compile_in_place(trainer.create_train_step_fn())
