"""The folder of an evaluation: its spec, its state and its files."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

from tunixrt_core.errors import BrokenFile, InvalidInput
from tunixrt_core.evaluation.predictions import Prediction, read_predictions
from tunixrt_core.evaluation.sets.setup import EvalSetup
from tunixrt_core.runs.evaluation_record import EvalRecord, Target
from tunixrt_core.runs.ownership import OwnedFolder, is_lost
from tunixrt_core.runs.record import OwnedState, RunStatus
from tunixrt_core.util import owners
from tunixrt_core.util.files.regular import read_object_or_none

if TYPE_CHECKING:
    from tunixrt_core.evaluation.sets.leaks import Leaks


INTERRUPTED = "Its process ended; evaluate again to resume."
NEVER_BEGAN = (
    "It waited in the queue of a server that ended. The server queues it again when it starts; or evaluate again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalState(OwnedState):
    """The current state of an evaluation. Phases: comparing, loading, compiling, generating, scoring."""

    done: int = 0  # answers
    total: int = 0
    compiles: int = 0  # shapes compiled so far


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


class EvalDir(OwnedFolder[EvalState]):
    """The folder of one evaluation: `spec.json` first, `predictions.jsonl` batch by batch, `summary.json` last."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, EvalState)

    @classmethod
    def of(cls, record: EvalRecord) -> EvalDir:
        """The folder of a record."""
        return cls(Path(record.directory))

    @property
    def spec_file(self) -> Path:
        return self.path / "spec.json"

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

    def predictions(self) -> list[Prediction]:
        """As of `read_predictions`."""
        return read_predictions(self.predictions_file)

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
            state = self.written_state()
        except BrokenFile as error:
            return self._without_state(error.reason)
        if state is None:
            return self._without_state("the file is missing") if self.summary() is not None else None
        if is_lost(state):
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
            state = self.written_state()
        except BrokenFile:
            return False
        return state is not None and self._shows_waiting(state) and not owners.alive(state.owner, state.updated_at)

    def _shows_waiting(self, state: EvalState) -> bool:
        return state.status is RunStatus.QUEUED and os.path.lexists(self.queued_file)

    def show_waiting(self) -> None:
        """Show in the state that it waits for this process."""
        attempt = self.last_attempt() + 1
        self.write_state(EvalState(owner=owners.this_owner(), attempt=attempt, updated_at=time.time()))

    def write_end(self, status: RunStatus, message: str) -> None:
        """Write how it ended, or why it never began."""
        self.write_state(EvalState(status=status, message=message, attempt=self.last_attempt()))


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
