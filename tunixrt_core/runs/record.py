"""The record of a run, its state and the legal transitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from tunixrt_core.errors import Conflict
from tunixrt_core.runs.metrics import TrainPlan


class RunStatus(StrEnum):
    QUEUED = "queued"
    LOADING = "loading"
    COMPILING = "compiling"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"  # left behind by a process that died
    BROKEN = "broken"  # its folder or a file in it cannot be read; never written to a folder

    @property
    def over(self) -> bool:
        return self in _OVER

    def to(self, new: RunStatus) -> RunStatus:
        """The new status, if the transition is legal; otherwise Conflict."""
        if new is not self and new not in NEXT[self]:
            raise Conflict(f"A run that is {self} cannot become {new}.")
        return new


_OVER = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.STOPPED, RunStatus.INTERRUPTED, RunStatus.BROKEN})
_ENDS = {RunStatus.STOPPING, RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.STOPPED, RunStatus.INTERRUPTED}
NEXT: dict[RunStatus, set[RunStatus]] = {
    RunStatus.QUEUED: {RunStatus.LOADING, *_ENDS} - {RunStatus.SUCCEEDED},
    RunStatus.LOADING: {RunStatus.COMPILING, RunStatus.RUNNING, *_ENDS},
    RunStatus.COMPILING: {RunStatus.RUNNING, *_ENDS},
    RunStatus.RUNNING: _ENDS,
    RunStatus.STOPPING: _ENDS,
    # resuming queues a run again; one that succeeded only to train for longer
    RunStatus.SUCCEEDED: {RunStatus.QUEUED},
    RunStatus.FAILED: {RunStatus.QUEUED},
    RunStatus.STOPPED: {RunStatus.QUEUED},
    RunStatus.INTERRUPTED: {RunStatus.QUEUED},
    RunStatus.BROKEN: set(),  # to be repaired or moved aside first
}
Seconds = Annotated[float, Meta(ge=0, le=2**36)]  # as Unix time up to the year 4147, which datetime can hold
Processes = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """Which dataset version a run was made from, where it was made from one."""

    name: str
    version: int
    content_hash: str

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


@dataclass(frozen=True, slots=True)
class Run:
    """One training, as the store lists it. Its folder holds the rest."""

    id: str
    name: str
    status: RunStatus
    manifest: Mapping[str, Any]
    directory: str
    created_at: datetime
    dataset: DatasetRef | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    message: str = ""
    request_id: str | None = None  # makes a repeated start find the run that the first one made
    tags: tuple[str, ...] = ()
    note: str = ""
    archived: bool = False  # left out of lists until it is requested

    def to_dict(self) -> dict[str, Any]:
        """For a list of runs: without the manifest and the request id."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status.value,
            "message": self.message,
            "dataset": asdict(self.dataset) if self.dataset else None,
            "directory": self.directory,
            "created_at": self.created_at,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "tags": list(self.tags),
            "note": self.note,
            "archived": self.archived,
        }


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run in a table of all: without its manifest. Moments are Unix seconds."""

    id: str
    name: str
    status: RunStatus
    directory: str
    dataset: str  # name:version, or empty
    tags: tuple[str, ...]
    note: str
    archived: bool
    figures: Mapping[str, Any]  # of runs.figures
    created_at: float
    started_at: float | None
    revision: int


@dataclass(frozen=True, slots=True)
class OwnedState:
    """The part of a `state.json` that runs and evaluations share; the file is rewritten whole at every change."""

    status: RunStatus = RunStatus.QUEUED
    _: KW_ONLY
    phase: str = ""
    message: str = ""
    owner: str = ""  # owners.this_owner() of the process that runs it
    attempt: int = 0  # number of its start; 0: written by an older version
    updated_at: Seconds = 0.0  # every ten seconds at least: the sign of life of its owner
    started_at: Seconds | None = None  # Unix seconds
    ended_at: Seconds | None = None

    def to_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Keys of a later version are left out. Raises ValueError naming a value of the wrong type or range."""
        try:
            return msgspec.convert({"status": RunStatus.INTERRUPTED, **with_owner(data)}, cls)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState(OwnedState):
    """The current state of a run. Phases: loading, compiling, training, evaluating, answering, saving."""

    train_step: int = 0
    total_train_steps: int = 0
    earlier_seconds: Seconds = 0.0  # trained before the run was resumed
    phase_at: Seconds = 0.0  # when its phase began
    device: str = ""
    processes: Processes = 1  # that train it together
    plan: TrainPlan = field(default_factory=TrainPlan)
    alerts: Mapping[str, int] = field(default_factory=dict)  # name of an alert -> how often it was raised
    refused: str = ""  # why the last resume ended before a new train step, and changed nothing
    before: Mapping[str, Any] | None = None  # while a resume has made no new train step: the state to go back to

    @property
    def share_done(self) -> float:
        return self.train_step / self.total_train_steps if self.total_train_steps else 0.0

    def times(self) -> dict[str, Any]:
        """`started_at` and `ended_at` as moments, as a Run holds them."""

        def moment(seconds: float | None) -> datetime | None:
            return datetime.fromtimestamp(seconds, UTC) if seconds else None

        return {"started_at": moment(self.started_at), "ended_at": moment(self.ended_at)}

    def not_resumed(self, why: str) -> RunState:
        """The state from before the resume, which says why it was refused. Raises ValueError as `from_dict` does.

        Its attempt is that of the resume: an owner from before it is still one too many.
        """
        return replace(self.from_dict(self.before or {}), refused=why, attempt=self.attempt)


def with_owner(data: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file with its owner under this version's name; `process` is that of an older one."""
    return {"owner": data.get("process", ""), **data}
