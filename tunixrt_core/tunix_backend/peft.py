"""Tunix's PeftTrainer with what it keeps to itself made visible: aux values, pending reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tunix.sft.peft_trainer import PeftTrainer


class RunTrainer(PeftTrainer):
    """Everything that touches private names of Tunix 0.1.7 stands here."""

    on_aux: Callable[[Any], None] = staticmethod(lambda aux: None)

    def _post_process_train_step(self, aux: Any) -> None:
        self.on_aux(aux)

    def report_pending(self) -> None:
        """Have the last train step reported now; Tunix keeps it back until the next one was handed to the device."""
        if self._prev_buffered_train_metrics is not None:
            self._write_train_metrics()

    @property
    def restored_metadata(self) -> Mapping[str, Any]:
        """What was saved beside the checkpoint that the trainer was restored from; empty where there was none."""
        return self._restored_custom_metadata or {}
