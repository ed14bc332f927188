"""Tunix's train step, compiled to update in place.

Tunix donates only the optimizer's memory, so each train step writes the whole model into new memory beside the old
one; with LoRA, it copies the frozen weights too. Here the model's memory is donated as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flax import nnx
from tunix.sft.peft_trainer import PeftTrainer


def compile_in_place(train_step: Callable[..., Any]) -> Any:
    """`(model, optimizer, batch) -> results`, compiled; model and optimizer are updated in place."""
    return nnx.jit(train_step, donate_argnames=("model", "optimizer"))


class InPlaceTrainer(PeftTrainer):
    """PeftTrainer whose train step works in place. It deletes the model's arrays from before the train step; the
    model itself always holds the valid arrays."""

    _jitted_train_step_fn: Any

    def jit_train_and_eval_step(self, skip_jit: bool = False, cache_nnx_graph: bool = False) -> Any:
        known = self._jitted_train_step_fn is not None
        steps = super().jit_train_and_eval_step(skip_jit, cache_nnx_graph)
        if skip_jit or known:
            return steps
        bind = nnx.cached_partial if cache_nnx_graph else functools.partial
        step = bind(compile_in_place(self.create_train_step_fn()), self.model, self.optimizer)
        # Tunix reads train_step.func.jitted_fn
        self._jitted_train_step_fn = functools.partial(step) if cache_nnx_graph else step
        return self._jitted_train_step_fn, self._jitted_eval_step_fn
