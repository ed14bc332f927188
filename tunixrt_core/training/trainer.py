"""Protocols of trainer and generator."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.runs.metrics import Known, Record, TrainPlan
from tunixrt_core.runs.record import RunStatus

if TYPE_CHECKING:
    from tunixrt_core.manifest.manifest import RunManifest


class TrainObserver(Protocol):
    """Receives the events of a run, in the thread that trains. RunRecorder is the one that writes files."""

    def phase(self, phase: str) -> None:
        """`loading`, `compiling`, `training`, `evaluating`, `answering` or `saving` begins."""

    def plan(self, plan: TrainPlan) -> None:
        """Totals, once, before the first train step.

        Records of train steps after `restored_train_step` are void, and so are evaluation and samples of that very
        train step: they are made again if due.
        """

    def record(self, record: Record) -> None:
        """One record of runs.metrics, without its `time`. Answers come before the SamplesMetric that counts them.

        Alerts are written by the recorder (see alerts.py), not by a trainer.
        """

    def log(self, text: str) -> None:
        """A line for a person to read."""


class NoObserver:
    """A TrainObserver that keeps nothing: of several processes that train together, one reports."""

    def phase(self, phase: str) -> None: ...

    def plan(self, plan: TrainPlan) -> None: ...

    def record(self, record: Record) -> None: ...

    def log(self, text: str) -> None: ...


class MetricSink(Protocol):
    """Another destination of metrics, such as TensorBoard. One that fails receives no more of the run."""

    def plan(self, plan: TrainPlan) -> None:
        """As of TrainObserver.plan: records of train steps after `restored_train_step` are void."""

    def record(self, record: Known) -> None:
        """As of TrainObserver.record, with `time`; answers are left out."""

    def close(self) -> None:
        """The run is over; write all buffered metrics."""


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """How a training ended. `stopped` means that the stop event ended it before its last train step, `ended_early`
    that the eval loss had not improved for cadence.early_stopping evaluations."""

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
    """Requests to a training from other threads. Each takes effect between two train steps.

    `stop` ends it with a checkpoint; `save` writes a checkpoint now, and is cleared when that is done.
    """

    stop: threading.Event = field(default_factory=threading.Event)
    save: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class DryRunReport:
    """The report of a successful dry run: the largest train step, an evaluation, a checkpoint and a generation."""

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


@dataclass(frozen=True, slots=True)
class DryRunState:
    """One dry run. `message` says why it failed; `report` is set if it succeeded."""

    id: str
    manifest_hash: str
    status: RunStatus = RunStatus.QUEUED
    phase: str = ""
    message: str = ""
    report: DryRunReport | None = None

    @property
    def over(self) -> bool:
        return self.status.over

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "status": self.status.value}


class DryRun(Protocol):
    """Does each operation of a run once, in a folder under `scratch` that is removed again."""

    def __call__(
        self, manifest: RunManifest, scratch: Path, *, on_phase: Callable[[str], None], stop: threading.Event
    ) -> DryRunReport | None:
        """None if it was stopped."""


class Trainer(Protocol):
    """Runs one manifest to its end. Resumes by itself from the last complete checkpoint in `run_dir/checkpoints`."""

    def train(
        self, manifest: RunManifest, run_dir: Path, *, observer: TrainObserver, controls: TrainControls
    ) -> TrainOutcome: ...


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. Raises InvalidEvaluation for a value out of its range.

    Temperature 0 takes the most likely token. Above it, tokens are sampled after dividing the logits by the
    temperature, from the `top_k` most likely (None: all) and of those from the fewest that hold `top_p` of the
    probability.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise InvalidEvaluation(f"temperature is {self.temperature}; it must be 0 (greedy) or above.")
        if not 0 < self.top_p <= 1:
            raise InvalidEvaluation(f"top_p is {self.top_p}; it must be above 0 and at most 1.")
        if self.top_k is not None and self.top_k < 1:
            raise InvalidEvaluation(f"top_k is {self.top_k}; it must be at least 1.")
        if not 0 <= self.seed < 2**31:
            raise InvalidEvaluation(f"seed is {self.seed}; it must be from 0 to 2,147,483,647.")

    @property
    def greedy(self) -> bool:
        return self.temperature == 0


GREEDY = Sampling()


@dataclass(frozen=True, slots=True)
class Generation:
    """One completion. `hit_limit` says that it ended because max_new_tokens was reached, not by a stop token.

    `prompt_tokens` is the length of its prompt; 0 if the generator does not report it.
    """

    text: str
    tokens: int
    hit_limit: bool
    prompt_tokens: int = 0


class Generator(Protocol):
    """A loaded model that completes prompts. Prompts are rendered text, with the chat template applied."""

    @property
    def compiles(self) -> int:
        """Number of shapes compiled so far."""

    def close(self) -> None:
        """Release the memory of the model; nothing can be generated after it."""

    def plan(self, prompts: Sequence[str], max_new_tokens: int) -> list[tuple[int, ...]]:
        """The indices of the prompts of each batch, in the order of `generate`. Raises as it does for the lengths."""

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        sampling: Sampling = GREEDY,
        skip: Collection[int] = (),
        on_batch: Callable[[Mapping[int, Generation]], None] | None = None,
        on_text: Callable[[Mapping[int, str]], None] | None = None,
        stop: threading.Event | None = None,
    ) -> dict[int, Generation]:
        """Completions by the index of their prompt; fewer than prompts if `stop` ended it.

        Which prompts share a batch, and what is sampled for each, follows from the prompts and the seed alone: a batch
        whose indices are all in `skip` is left out, and changes nothing in the others. `on_batch` is called with each
        as it ends. `on_text` is called with the texts of a batch while they grow, every few tokens; then `stop` ends
        within a batch, which is left out.
        """


class LoadGenerator(Protocol):
    """Loads the model of a manifest: the base model, or the model of a run's last checkpoint."""

    def __call__(
        self, manifest: RunManifest, checkpoints: Path | None, *, on_phase: Callable[[str], None]
    ) -> Generator: ...
