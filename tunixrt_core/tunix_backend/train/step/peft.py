"""PeftTrainer with access to aux values and pending reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tunixrt_core.tunix_backend.train.step.compiled import InPlaceTrainer, compile_in_place
from tunixrt_core.tunix_backend.train.step.loss import LossFunction


class RunTrainer(InPlaceTrainer):
    """All uses of private names of Tunix 0.1.7 are in this class."""

    on_aux: Callable[[Any], None] = staticmethod(lambda aux: None)

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


def compiled_step(loss: LossFunction, *, lora: bool) -> Any:
    """`(model, optimizer, ModelBatch)` -> one train step, as Tunix gives it to the compiler, without a trainer."""
    trainer = object.__new__(RunTrainer)  # its constructor needs weights and a folder for checkpoints
    trainer._lora_enabled = lora
    trainer.with_loss_fn(loss.mean, has_aux=True).with_gen_model_input_fn(loss.inputs)
    return compile_in_place(trainer.create_train_step_fn())
