"""Hooks of PeftTrainer: batches, stop, evaluation, saving, reports."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import msgspec
from flax import nnx
from tunix.sft import hooks

from tunixrt_core.errors import TrainingError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.metrics import CompileMetric, EvalMetric, Record, TrainMetric
from tunixrt_core.training.trainer import TrainControls, TrainObserver
from tunixrt_core.tunix_backend.data.encoding import Parts
from tunixrt_core.tunix_backend.train.evaluating import Best, Evaluator
from tunixrt_core.tunix_backend.train.processes import agree
from tunixrt_core.tunix_backend.train.prompt_sampler import PromptSampler
from tunixrt_core.tunix_backend.train.reporting.compiles import CompileCounter
from tunixrt_core.tunix_backend.train.reporting.reports import (
    batch_report,
    memory_in_use,
    model_flops_share,
    perplexity,
)
from tunixrt_core.tunix_backend.train.reporting.step_clock import StepClock
from tunixrt_core.tunix_backend.train.step.feeding import Feed, MicroBatch
from tunixrt_core.tunix_backend.train.step.loss import ModelBatch
from tunixrt_core.tunix_backend.train.step.optimizer import Schedule


class LastMetrics:
    """Replaces Tunix's MetricsLogger, which keeps every value forever and can listen to the whole process."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def log(self, prefix: str, name: str, value: Any, mode: Any, step: int) -> None:
        self.values[name] = float(value)

    def close(self) -> None:
        """Does nothing: no resource is open."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The data of a run's reports that does not change while it runs."""

    manifest: RunManifest
    parts: Parts
    schedule: Schedule
    total: int  # train steps of the whole run
    restored: int  # train step of the checkpoint that it continues from
    model: Any
    parameters: int
    trainable: int
    devices: tuple[jax.Device, ...]

    @property
    def own_device(self) -> jax.Device:
        """A device of this process: those of other processes do not report their memory."""
        return next(device for device in self.devices if device.process_index == jax.process_index())

    @property
    def accumulation(self) -> int:
        return self.manifest.batch.gradient_accumulation


class RunHooks(hooks.DataHooks, hooks.TrainingHooks):
    """The data feed and the reports of one training run."""

    def __init__(
        self,
        facts: RunFacts,
        *,
        feed: Feed,
        evaluator: Evaluator,
        sampler: PromptSampler | None,
        best: Best,
        metrics: LastMetrics,
        observer: TrainObserver,
        controls: TrainControls,
        save: Callable[[str], None],
        compiles: CompileCounter,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`save(reason)` writes a checkpoint of the last train step; `compiles` counts those of the train step."""
        self._facts = facts
        self._feed = feed
        self._evaluator = evaluator
        self._sampler = sampler
        self._best = best
        self._metrics = metrics
        self._observer = observer
        self._controls = controls
        self._save = save
        self._compiles = compiles
        self._clock = clock
        self._fed: deque[MicroBatch] = deque()  # not reported yet, oldest first
        self._sums: deque[Any] = deque()  # their summed losses by part, on the device until they are reported
        self._evaluated_at = -1
        self._waiting: list[Record] = []  # records to send after the report of a train step that is still pending
        # of the micro-batch given to the device last: train step, length, compilations and seconds before it
        self._handed: tuple[int, int, int, float] | None = None
        self._reported = facts.restored
        self._lengths: set[int] = set()
        self._steps = StepClock(clock)
        self.ended_early = False
        self.train_loss: float | None = None
        self.eval_loss: float | None = None

    # -- data ---------------------------------------------------------------------------------------------------

    def load_next_train_batch(self, train_ctx: Any) -> ModelBatch | None:
        """The next micro-batch; None ends the training after the current train step."""
        done, k = train_ctx.train_steps, train_ctx.iter_steps
        self._note_compiled()
        if k % self._facts.accumulation == 0 and self._is_over(done):
            return None
        micro = self._feed.next()
        self._steps.begin()
        if micro.length not in self._lengths:
            self._observer.phase("compiling")
        self._handed = (done, micro.length, self._compiles.count, self._compiles.seconds)
        self._fed.append(micro)
        return micro.batch

    def _is_over(self, done: int) -> bool:
        """Between two train steps: do what was requested or is due; True where the training ends here."""
        stop, save = agree(self._controls.stop.is_set(), self._controls.save.is_set())
        if stop:
            return True
        if save:
            if done > self._facts.restored:
                self._save("asked")
            self._controls.save.clear()
        if self._evaluation_is_due(done):
            self._evaluate(done)
        self.ended_early = self._has_stalled()
        return done >= self._facts.total or self.ended_early

    def load_next_eval_batch(self, train_ctx: Any) -> None:
        """Tunix's own evaluation is not used."""

    def _note_compiled(self) -> None:
        """After a micro-batch was given to the device: record the compilation for it, if any.

        That time does not count as training.
        """
        if self._handed is None:
            return
        train_step, length, count, seconds = self._handed
        self._handed = None
        self._observer.phase("training")
        expected = length not in self._lengths
        self._lengths.add(length)
        if self._compiles.count > count:
            seconds = self._compiles.seconds - seconds
            self._steps.compiled(seconds)
            self._observer.record(
                CompileMetric(train_step=train_step, length=length, seconds=seconds, expected=expected)
            )

    # -- evaluation ---------------------------------------------------------------------------------------------

    def _evaluation_is_due(self, done: int) -> bool:
        due = done % self._facts.manifest.cadence.eval_every == 0 or done >= self._facts.total
        again = done == self._facts.restored and self._best.again
        return bool(self._evaluator) and (due or again) and done != self._evaluated_at

    def _evaluate(self, done: int) -> None:
        began = self._clock()
        with self.pause("evaluating" if self._evaluator.compiled else "compiling"):
            found = self._evaluator.run()
        self._evaluated_at = done
        self.eval_loss = found["loss"]
        better = self._best.add(done, found["loss"])
        self._record_after(done, EvalMetric(train_step=done, seconds=self._clock() - began, best=better, **found))
        if better and done > self._facts.restored:
            self._save("best")
        self._answer(done)

    def _answer(self, done: int) -> None:
        if self._sampler is None:
            return
        began = self._clock()
        with self.pause("answering" if self._sampler.compiles else "compiling"):
            found = self._sampler.run(done, self._controls.stop)
        if found is not None:
            summary = msgspec.structs.replace(found.summary, seconds=self._clock() - began)
            self._record_after(done, *found.answers, summary)

    def _record_after(self, done: int, *records: Record) -> None:
        for record in records:
            if done > self._reported:
                self._waiting.append(record)  # Tunix reports a train step only when the next one has begun
            else:
                self._observer.record(record)

    def _has_stalled(self) -> bool:
        patience = self._facts.manifest.cadence.early_stopping
        return patience is not None and self._best.evaluations_since() >= patience

    @contextmanager
    def pause(self, phase: str) -> Iterator[None]:
        """A phase that is shown and does not count as training time."""
        jax.block_until_ready(nnx.state(self._facts.model))
        with self._steps.pause(pending=lambda: bool(self._fed)):
            self._observer.phase(phase)
            yield
        if self._lengths:
            self._observer.phase("training")

    # -- reports ------------------------------------------------------------------------------------------------

    def add_sums(self, sums: Any) -> None:
        """The summed loss by part of the micro-batch that was just given to the device."""
        self._sums.append(sums)

    def on_train_step_end(self, train_ctx: Any, train_step: int, train_loss: float) -> None:
        loss = float(train_loss)
        self._note_compiled()  # for the next micro-batch, which was given to the device before this report
        n = self._facts.accumulation
        fed = [self._fed.popleft() for _ in range(n)]
        counted = batch_report(self._facts.parts, fed, [self._sums.popleft() for _ in range(n)])
        seconds = self._steps.take()
        rate = float(self._facts.schedule(int(train_step) - 1))
        norm = self._metrics.values["grad_norm"]
        self._observer.record(
            TrainMetric(
                train_step=int(train_step),
                loss=loss,
                perplexity=perplexity(loss),
                learning_rate=rate,
                grad_norm=norm,
                tokens_per_second=round(counted["trained_tokens"] / seconds, 1),
                step_seconds=round(seconds, 6),
                input_wait_seconds=round(self._feed.take_waited(), 6),
                mfu=self._utilisation(counted["tokens"] / seconds),
                **memory_in_use(self._facts.own_device),
                **counted,
            )
        )
        self._reported = int(train_step)
        self._require_numbers(train_step, loss, norm, rate)
        self.train_loss = loss
        while self._waiting and self._waiting[0].train_step <= train_step:
            self._observer.record(self._waiting.pop(0))

    def _utilisation(self, tokens_per_second: float) -> float | None:
        facts = self._facts
        kind = str(facts.devices[0].device_kind)
        share = model_flops_share(tokens_per_second, facts.parameters, facts.trainable, kind, len(facts.devices))
        return None if share is None else round(share, 4)

    def _require_numbers(self, train_step: int, loss: float, norm: float, rate: float) -> None:
        broken = "loss" if not math.isfinite(loss) else "gradient" if not math.isfinite(norm) else None
        if broken and train_step == 1:
            raise TrainingError(
                f"The {broken} is not a number at the first train step, before any weight changed, though the base's "
                "weights are finite: it computes numbers that are too large. Set model.dtype to float32, or use "
                "another base."
            )
        if broken:
            raise TrainingError(
                f"The {broken} is not a number at train step {train_step:,} (learning rate {rate:g}). "
                "Lower the learning rate or max_grad_norm; the earlier checkpoints are kept."
            )

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
