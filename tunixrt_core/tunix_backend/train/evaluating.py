"""Evaluation between train steps: eval loss and the best one."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tunix.sft.sharding_utils import shard_input

from tunixrt_core.tunix_backend.data.batches import TokenBatch
from tunixrt_core.tunix_backend.data.encoding import Parts
from tunixrt_core.tunix_backend.train.processes import writes
from tunixrt_core.tunix_backend.train.reporting.reports import LossesByPart, by_part, perplexity
from tunixrt_core.tunix_backend.train.step.feeding import own_eval_rows
from tunixrt_core.tunix_backend.train.step.loss import LossFunction, eval_function
from tunixrt_core.util.files.atomic import write_json


class EvalFields(LossesByPart):
    """The fields of an eval record that come from the evaluation."""

    loss: float
    perplexity: float
    trained_tokens: int


class Evaluator:
    """Computes the loss of the eval split: the mean over its tokens, each row once.

    Tunix's own evaluation is not used: it reports an unweighted sum over batches, and not at the last train step.
    """

    def __init__(self, model: Any, batches: Sequence[TokenBatch], loss: LossFunction, parts: Parts) -> None:
        self._model = model
        self._batches = batches
        self._parts = parts
        self._evaluate = eval_function(loss)
        self.compiled = False
        self.trained_tokens = sum(batch.trained_tokens for batch in batches)
        self._counts = sum((batch.tokens_by_part(len(parts)) for batch in batches), np.zeros(len(parts), np.int64))

    def __bool__(self) -> bool:
        return self.trained_tokens > 0

    def run(self) -> EvalFields:
        """Evaluate the current weights of the model."""
        losses = [self._evaluate(self._model, shard_input(own_eval_rows(b), ("fsdp",))) for b in self._batches]
        self.compiled = True
        loss = math.fsum(float(each.trained) for each in losses) / self.trained_tokens
        sums: Any = sum(np.asarray(each.by_part, np.float64) for each in losses)
        return {
            "loss": loss,
            "perplexity": perplexity(loss),
            "trained_tokens": self.trained_tokens,
            **by_part(self._parts, sums, self._counts),
        }


class Best:
    """The evaluations of a run so far, kept in `best.json` beside its checkpoints."""

    def __init__(self, file: Path, restored: int) -> None:
        """Evaluations from the train step `restored` on are dropped: they are repeated."""
        self._file = file
        found = json.loads(file.read_text())["evaluations"] if file.exists() else []
        self._losses: dict[int, float] = {int(step): float(loss) for step, loss in found if step < restored}
        self.again = any(step == restored for step, _ in found)  # there was an evaluation at `restored`, due or not

    def add(self, train_step: int, loss: float) -> bool:
        """Add an evaluation; True where it is lower than all earlier ones."""
        # not `loss < earlier`, as nothing is lower than NaN
        better = math.isfinite(loss) and not any(loss >= earlier for earlier in self._losses.values())
        self._losses[train_step] = loss
        if writes():
            evaluations = list(self._losses.items())
            found = {"train_step": self.train_step, "eval_loss": self.loss, "evaluations": evaluations}
            write_json(self._file, found)
        return better

    @property
    def train_step(self) -> int | None:
        """The train step of the lowest eval loss, the first of equal ones."""
        finite = {step: loss for step, loss in self._losses.items() if math.isfinite(loss)}
        return min(finite, key=lambda step: (finite[step], step)) if finite else None

    @property
    def loss(self) -> float | None:
        return None if self.train_step is None else self._losses[self.train_step]

    def evaluations_since(self) -> int:
        """Number of evaluations after the best one."""
        best = self.train_step
        return 0 if best is None else sum(step > best for step in self._losses)
