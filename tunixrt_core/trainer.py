"""What the rest of the house asks of a trainer and of a generator; tunix_backend keeps these promises with Tunix."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tunixrt_core.manifest import RunManifest
from tunixrt_core.runs import RunStatus


class TrainObserver(Protocol):
    """Told about a run as it happens, in the thread that trains. runs.RunRecorder is the one that writes files."""

    def phase(self, phase: str) -> None:
        """`loading`, `compiling`, `training`, `evaluating` or `saving` begins."""

    def plan(self, plan: Mapping[str, Any]) -> None:
        """Totals, once, before the first train step.

        Records of train steps after `restored_train_step` are void, and so is an evaluation of that very train step:
        it is made again where it is due. Keys: total_train_steps, restored_train_step, epochs, train_rows, eval_rows,
        dropped_rows (too long), shortened_rows (lost steps from their middle), row_lengths (of the batches, each is
        compiled once), rows_per_step (of the data, on average), padding_share, tokens_per_epoch,
        trained_tokens_per_epoch, trainable_parameters, total_parameters, device, mesh.
        """

    def record(self, record: Mapping[str, Any]) -> None:
        """One metrics record; `kind` says which. Losses are nats per token, means over tokens.

        * `train`: train_step, loss, perplexity, learning_rate (as used), grad_norm (before clipping), epoch,
          trained_tokens, tokens (that are not padding), padding_share, tokens_per_second (trained), step_seconds,
          input_wait_seconds, memory_bytes and peak_memory_bytes (of the device, of the process on a CPU), mfu (only
          where the device's peak is known), parts `{"prompt" | "format" | "step 1" … | "answer": loss}` and types
          `{step type: loss}`.
        * `eval`: train_step, loss, perplexity, trained_tokens, seconds, parts, types, best (no earlier one was lower).
        * `compile`: train_step (done before it), length, seconds, expected (false: a shape was compiled twice).
        * `checkpoint`: train_step, reason (`cadence`, `best`, `asked`, `end`), seconds.
        * `alert`: train_step, alert, evidence, change. Written by the recorder (see alerts.py), not by a trainer.
        """

    def log(self, text: str) -> None:
        """A line for a person to read."""


class NoObserver:
    """A TrainObserver that keeps nothing: of several processes that train together, one reports."""

    def phase(self, phase: str) -> None: ...

    def plan(self, plan: Mapping[str, Any]) -> None: ...

    def record(self, record: Mapping[str, Any]) -> None: ...

    def log(self, text: str) -> None: ...


class MetricSink(Protocol):
    """Another place where metrics go, such as TensorBoard. One that fails is left out of the rest of the run."""

    def plan(self, plan: Mapping[str, Any]) -> None:
        """As of TrainObserver.plan: what was written of train steps after `restored_train_step` is void."""

    def record(self, record: Mapping[str, Any]) -> None:
        """As of TrainObserver.record, with `time`, the seconds trained so far."""

    def close(self) -> None:
        """The run is over; write out what is still held."""


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """How a training ended. `stopped` means that the stop event ended it before its last train step, `ended_early`
    that the eval loss had not improved for as many evaluations as cadence.early_stopping says."""

    train_step: int
    stopped: bool
    checkpoint: Path | None
    train_loss: float | None
    eval_loss: float | None
    ended_early: bool = False
    best_checkpoint: Path | None = None
    best_eval_loss: float | None = None


@dataclass(frozen=True, slots=True)
class TrainControls:
    """Asked of a training from other threads. Each is heeded between two train steps.

    `stop` ends it with a checkpoint; `save` has a checkpoint written now, and is cleared when that is done.
    """

    stop: threading.Event = field(default_factory=threading.Event)
    save: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class DryRunReport:
    """What a dry run found: the largest train step, an evaluation, a checkpoint and a generation, all of them done."""

    tokens: int  # of the batch, without padding
    compile_seconds: float
    train_loss: float
    eval_loss: float | None
    checkpoint_bytes: int
    checkpoint_seconds: float
    peak_memory_bytes: int
    generated: str
    generate_seconds: float
    seconds: float


@dataclass(slots=True)
class DryRunState:
    """One dry run. `message` says why it failed; `report` is there when it succeeded."""

    id: str
    manifest_hash: str
    status: RunStatus = RunStatus.QUEUED
    phase: str = ""
    message: str = ""
    report: DryRunReport | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "status": self.status.value}


class DryRun(Protocol):
    """Does everything that a run does once, in a folder under `scratch` that is removed again."""

    def __call__(
        self, manifest: RunManifest, scratch: Path, *, on_phase: Callable[[str], None], stop: threading.Event
    ) -> DryRunReport | None:
        """None where it was stopped."""


class Trainer(Protocol):
    """Runs one manifest to its end. Resumes by itself from the last whole checkpoint in `run_dir/checkpoints`."""

    def train(
        self, manifest: RunManifest, run_dir: Path, *, observer: TrainObserver, controls: TrainControls
    ) -> TrainOutcome: ...


@dataclass(frozen=True, slots=True)
class Generation:
    """One completion. `hit_limit` says that it ended because max_new_tokens was reached, not by a stop token."""

    text: str
    tokens: int
    hit_limit: bool


class Generator(Protocol):
    """A loaded model that completes prompts. Prompts are rendered text, with the chat template applied."""

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        on_batch: Callable[[int, Sequence[Generation]], None] | None = None,
        stop: threading.Event | None = None,
    ) -> list[Generation]:
        """Greedy completions in the order of the prompts; shorter than asked where `stop` ended it.

        `on_batch(first_index, generations)` is called as each batch ends.
        """


class LoadGenerator(Protocol):
    """Loads the model of a manifest: the base model, or with the weights of the last checkpoint of a run."""

    def __call__(
        self, manifest: RunManifest, checkpoints: Path | None, *, on_phase: Callable[[str], None]
    ) -> Generator: ...
