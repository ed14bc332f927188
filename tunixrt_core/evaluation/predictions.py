"""Predictions by row, and the folder of an evaluation."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec
import orjson

from tunixrt_core.errors import BrokenFile, InvalidInput, Superseded
from tunixrt_core.evaluation.sets.setup import EvalSetup
from tunixrt_core.runs.evaluation_record import EvalRecord, Target
from tunixrt_core.runs.folder import held_attempt
from tunixrt_core.runs.record import RunStatus, Seconds, with_owner
from tunixrt_core.util import owners
from tunixrt_core.util.files.atomic import write_atomic, write_state
from tunixrt_core.util.files.regular import open_regular, read_object, read_object_or_none

if TYPE_CHECKING:
    from tunixrt_core.evaluation.sets.leaks import Leaks


INTERRUPTED = "Its process ended; evaluate again to resume."
NEVER_BEGAN = (
    "It waited in the queue of a server that ended. The server queues it again when it starts; or evaluate again."
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer of a model to one row, and its scores by scorer name (None: no score).

    `row` is the place of the row in the eval set, `sample` counts the answers to one row; both from 0.
    """

    id: str
    prompt: str
    reference: str
    output: str
    answer: str | None
    scores: Mapping[str, float | None]
    tokens: int
    hit_limit: bool
    row: int = 0
    sample: int = 0
    verdicts: Mapping[str, str] = field(default_factory=dict)  # a label beside a score, such as `timeout`
    groups: Mapping[str, str] = field(default_factory=dict)
    system: str | None = None  # of the row; None: the manifest's
    conversation: Mapping[str, Any] = field(default_factory=dict)  # around the prompt, as in the JSON form of a trace

    @property
    def correct(self) -> bool:
        return self.scores.get("exact_match") == 1.0


@dataclass(frozen=True, slots=True)
class EvalState:
    """The state of an evaluation: the content of its `state.json`, rewritten at every change."""

    status: RunStatus = RunStatus.QUEUED
    phase: str = ""  # loading, compiling, generating, scoring
    done: int = 0  # answers
    total: int = 0
    compiles: int = 0  # shapes compiled so far
    message: str = ""
    owner: str = ""  # owners.this_owner() of the process that runs it
    attempt: int = 0  # number of its start; 0: written by an older version
    updated_at: Seconds = 0.0  # every ten seconds at least: the sign of life of its owner
    started_at: Seconds | None = None  # Unix seconds
    ended_at: Seconds | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EvalState:
        """Keys of a later version are left out. Raises ValueError naming a value of the wrong type or range."""
        try:
            return msgspec.convert({"status": RunStatus.INTERRUPTED, **with_owner(data)}, cls)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSpec:
    """The definition of an evaluation: model, rows, settings and scorers. The content of `spec.json`."""

    target: Target
    train_step: int | None  # of the checkpoint; None for the base model
    setup: EvalSetup
    scorers: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of its folder, the same for the same model with the same rows and settings."""
        model = self.target if self.train_step is None else f"{self.target}-{self.train_step}"
        return f"{model}-{self.setup.hash[:8]}"

    def to_dict(self) -> dict[str, Any]:
        plain = {"target": self.target, "train_step": self.train_step, "scorers": list(self.scorers)}
        return {**plain, "setup": self.setup.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EvalSpec:
        """Raises ValueError naming a value of the wrong type."""
        try:
            return msgspec.convert(data, cls)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None


class EvalDir:
    """The folder of one evaluation: `spec.json` first, `predictions.jsonl` batch by batch, `summary.json` last."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, record: EvalRecord) -> EvalDir:
        """The folder of a record."""
        return cls(Path(record.directory))

    @property
    def spec_file(self) -> Path:
        return self.path / "spec.json"

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def predictions_file(self) -> Path:
        return self.path / "predictions.jsonl"

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def leaks_file(self) -> Path:
        """The file of eval rows that the run was trained on: `Leaks.to_dict()`."""
        return self.path / "leaks.json"

    @property
    def queued_file(self) -> Path:
        """While it waits in a server's queue: what was requested, as of `jobs.evaluations`."""
        return self.path / "queued.json"

    @property
    def stop_file(self) -> Path:
        """The stop request: its existence stops the evaluation, from another process too."""
        return self.path / "stop"

    def predictions(self) -> list[Prediction]:
        """Every prediction written so far, in the order of the eval set; a line that is none is left out."""
        found = [each for line in self._lines() if (each := _prediction(line)) is not None]
        return sorted(found, key=lambda p: (p.row, p.sample))

    def keep_whole_lines(self) -> None:
        """Remove lines that are no prediction, such as an incomplete last one, so that a resume can append."""
        lines = self._lines()
        if any(_prediction(line) is None for line in lines):
            self.rewrite(self.predictions())
        elif self.predictions_file.exists():
            os.truncate(self.predictions_file, sum(len(line) + 1 for line in lines))

    def rewrite(self, predictions: Iterable[Prediction]) -> None:
        """Replace all predictions atomically."""
        write_atomic(self.predictions_file, b"".join(prediction_line(p) for p in predictions))

    def spec(self) -> EvalSpec | None:
        """None where it is missing or cannot be read."""
        loaded = read_object_or_none(self.spec_file)
        try:
            return None if loaded is None else EvalSpec.from_dict(loaded)
        except (ValueError, InvalidInput):
            return None

    def summary(self) -> dict[str, Any] | None:
        """None where it is missing or cannot be read."""
        found = read_object_or_none(self.summary_file)
        return found if found is not None and _is_summary(found) else None

    def leaks(self) -> Leaks | None:
        """The eval rows that the run was trained on; None where they were not searched for (yet)."""
        from tunixrt_core.evaluation.sets.leaks import Leaks

        loaded = read_object_or_none(self.leaks_file)
        try:
            return None if loaded is None else Leaks.from_dict(loaded)
        except (KeyError, TypeError, ValueError):
            return None

    def state(self) -> EvalState | None:
        """The state; interrupted where the process that ran it is gone. One that is lost is succeeded where there is a
        summary, which is written last, and otherwise broken where it cannot be read.

        None where it never began.
        """
        try:
            if (loaded := read_object(self.state_file)) is None:
                return self._without_state("the file is missing") if self.summary() is not None else None
            state = EvalState.from_dict(loaded)
        except BrokenFile as error:
            return self._without_state(error.reason)
        except ValueError as error:
            return self._without_state(f"holds a wrong value ({error})")
        if not state.status.over and state.owner and not owners.alive(state.owner, state.updated_at):
            if self.summary() is not None:  # it waited to be answered again: the answers from before are all there
                return replace(state, status=RunStatus.SUCCEEDED, phase="")
            why = NEVER_BEGAN if self._shows_waiting(state) else INTERRUPTED
            return replace(state, status=RunStatus.INTERRUPTED, message=why)
        return state

    def _without_state(self, why: str) -> EvalState:
        """The state as the summary tells it. `why` says what is wrong with the file of the state."""
        if (summary := self.summary()) is None:
            return EvalState(RunStatus.BROKEN, message=f"state.json: {why}. Evaluate again.")
        answers = planned_answers(summary)
        return EvalState(
            RunStatus.SUCCEEDED,
            done=answers,
            total=answers,
            message=f"state.json: {why}. The answers and the summary are there.",
            ended_at=self.summary_file.lstat().st_mtime,
        )

    @property
    def left_in_queue(self) -> bool:
        """Whether it waited in the queue of a process that died, to be answered, or answered or scored again."""
        try:
            state = EvalState.from_dict(read_object(self.state_file) or {})
        except (BrokenFile, ValueError):
            return False
        return self._shows_waiting(state) and not owners.alive(state.owner, state.updated_at)

    def _shows_waiting(self, state: EvalState) -> bool:
        return state.status is RunStatus.QUEUED and os.path.lexists(self.queued_file)

    def show_waiting(self) -> None:
        """Show in the state that it waits for this process."""
        attempt = held_attempt(self.state_file) + 1
        self.write_state(EvalState(owner=owners.this_owner(), attempt=attempt, updated_at=time.time()))

    def write_end(self, status: RunStatus, message: str) -> None:
        """Write how it ended, or why it never began."""
        self.write_state(EvalState(status=status, message=message, attempt=held_attempt(self.state_file)))

    def beat(self) -> None:
        """Write again that it waits for this process, which is alive."""
        state = EvalState.from_dict(read_object(self.state_file) or {})
        if owners.is_ours(state.owner):
            self.write_state(replace(state, updated_at=time.time()))

    def next_attempt(self) -> owners.Attempt:
        """The attempt of a start in this process: the one that waits here, or the one after the last."""
        state = self.state() or EvalState()
        waits = state.status is RunStatus.QUEUED and owners.is_ours(state.owner)
        return owners.Attempt(owners.this_owner(), state.attempt + (0 if waits else 1))

    def write_state(self, state: EvalState) -> None:
        """Raises Superseded where it was started again since, with a higher attempt than that of `state`."""
        if state.attempt < (held := held_attempt(self.state_file)) and state.attempt:
            raise Superseded(self.path.name, state.attempt, held)
        write_state(self.state_file, state.to_dict())

    def _lines(self) -> Sequence[bytes]:
        try:
            with open_regular(self.predictions_file) as file:
                return file.read().split(b"\n")[:-1]
        except (OSError, BrokenFile):
            return []


def prediction_line(prediction: Prediction) -> bytes:
    """The line of predictions.jsonl."""
    data = asdict(prediction)
    if not prediction.conversation:
        del data["conversation"]
    return orjson.dumps(data) + b"\n"


class _Summary(TypedDict, total=False):
    """Types of what every summary may hold; other keys are scores."""

    rows: int
    answers: int
    planned: int
    seconds: float
    exact_match: float | None
    exact_match_low: float
    exact_match_high: float
    mean_tokens: float
    hit_limit: float
    intervals: dict[str, tuple[float, float]]
    scorers: dict[str, int]
    verdicts: dict[str, dict[str, int]]


def planned_answers(summary: Mapping[str, Any]) -> int:
    """How many answers a summary stands for; one of an older version names its rows alone."""
    return int(summary.get("planned", summary.get("rows", 0)))


def _is_summary(found: Mapping[str, Any]) -> bool:
    try:
        msgspec.convert(found, _Summary)
    except msgspec.ValidationError:
        return False
    known = _Summary.__annotations__
    return all(value is None or isinstance(value, int | float) for name, value in found.items() if name not in known)


def _prediction(line: bytes) -> Prediction | None:
    """None for a line that is no prediction."""
    try:
        return msgspec.json.decode(line, type=Prediction)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
