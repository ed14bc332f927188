"""What the rest of the house asks of a trainer and of a generator; tunix_backend keeps these promises with Tunix."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tunixrt_core.manifest import RunManifest


class TrainObserver(Protocol):
    """Told about a run as it happens, in the thread that trains. runs.RunRecorder is the one that writes files."""

    def phase(self, phase: str) -> None:
        """`loading`, `compiling`, `training`, `evaluating` or `saving` begins."""

    def plan(self, plan: Mapping[str, Any]) -> None:
        """Totals, once, before the first train step. Records of train steps after `restored_train_step` are void.

        Keys: total_train_steps, restored_train_step, epochs, train_rows, eval_rows, dropped_rows (too long),
        tokens_per_epoch, trained_tokens_per_epoch, trainable_parameters, total_parameters, device, mesh.
        """

    def record(self, record: Mapping[str, Any]) -> None:
        """One metrics record.

        `{"kind": "train", "train_step", "loss", "learning_rate", "grad_norm", "tokens_per_second" (trained tokens),
        "step_seconds", "epoch"}` or `{"kind": "eval", "train_step", "loss"}`. Losses are nats per trained token.
        """

    def log(self, text: str) -> None:
        """A line for a person to read."""


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """How a training ended. `stopped` means that the stop event ended it before its last train step."""

    train_step: int
    stopped: bool
    checkpoint: Path | None
    train_loss: float | None
    eval_loss: float | None


class Trainer(Protocol):
    """Runs one manifest to its end. Resumes by itself from the last whole checkpoint in `run_dir/checkpoints`."""

    def train(
        self, manifest: RunManifest, run_dir: Path, *, observer: TrainObserver, stop: threading.Event
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


@dataclass(frozen=True, slots=True)
class ExportReport:
    """A model that was exported, and how its logits compare with the trained model's on prompts of the data file."""

    path: Path
    train_step: int
    dtype: str  # of the weight files, as the base model has it
    files: int  # weight files
    bytes: int  # of the weight files
    prompts: int
    tokens: int  # that were compared
    largest_difference: float  # of any logit
    tolerance: float  # a larger difference is refused
    agreement: float  # share of the tokens after which both hold the same next token for the likeliest


class Exporter(Protocol):
    """Writes the model of a run's last checkpoint as a directory that any Hugging Face tool reads."""

    def __call__(
        self,
        manifest: RunManifest,
        checkpoints: Path,
        target: Path,
        *,
        card: Callable[[ExportReport], str],
        on_phase: Callable[[str], None],
    ) -> ExportReport:
        """`card` makes the README. The phases are `loading`, `writing` and `checking`; `target` must not exist."""
