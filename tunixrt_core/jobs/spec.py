"""Jobs as data, and the protocols of what does them and what follows them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import msgspec
import orjson

from tunixrt_core.errors import InvalidInput
from tunixrt_core.runs.ownership import Condition
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.util.owners import this_owner

Kind = Literal["train", "evaluate", "export", "dry run", "playground"]
# Gets news of a job, JSON all through; an empty one says that its folder has changed.
Tell = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job, as any process can do it that has the same folders under the same paths.

    `id` is that of the run to train, or of the evaluation, the export and so on; `run` the run that it is about.
    `body` is what its kind needs, JSON all through. `attempt` is the number of this start; 0 for a kind without a state
    in a folder.
    """

    id: str
    run: str
    kind: Kind
    body: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0

    @property
    def processes(self) -> int:
        """How many processes do it together, on as many machines."""
        return int(self.body.get("processes", 1))

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: bytes) -> JobSpec:
        """Raises ValueError for a text that is none."""
        return msgspec.json.decode(text, type=cls)


class WorkerLost(Exception):
    """The process that did a job is gone, not the job itself; the message says how."""


class Follower(ABC):
    """What the process with the queue does about the jobs of one kind."""

    @abstractmethod
    def told(self, spec: JobSpec, news: Mapping[str, Any]) -> None:
        """News of a running job. Called in the thread that does it or waits for it."""

    @abstractmethod
    def dropped(self, spec: JobSpec) -> None:
        """It was stopped before it began."""

    @abstractmethod
    def failed(self, spec: JobSpec, message: str) -> None:
        """It ended with this error, a sentence."""

    def lost(self, spec: JobSpec, why: str, *, again: bool) -> JobSpec | None:
        """Its worker was lost. With `again` the job to queue in its place, which goes on or starts over."""
        self.failed(spec, why)
        return None

    def condition(self, spec: JobSpec) -> Condition:
        """What its folder shows; of a kind without one its owner alone knows. Raises TunixRTError."""
        return "lost"

    def beat(self, spec: JobSpec) -> None:  # noqa: B027 - of most kinds no other process knows
        """It waits: show that this process is alive. Raises OSError, ValueError or TunixRTError if that fails."""


class Executor(ABC):
    """Does jobs, in this process unless a class says otherwise."""

    at_once = 1  # how many jobs it does at a time
    several = False  # whether a run may choose how many processes train it

    @abstractmethod
    def run(self, spec: JobSpec, *, stop: StopRequest, tell: Tell) -> None:
        """Do a job to its end, or until it is stopped.

        Raises its error, Stopped where that was before it began, and WorkerLost.
        """

    def takes_accelerator(self, spec: JobSpec) -> bool:
        """Whether a job needs the accelerator of this machine, which has one lock for all processes of the home."""
        return True

    def owner(self, spec: JobSpec) -> str:
        """Who does it, as a word of `util.owners`."""
        return this_owner()

    def processes(self, asked: int | None) -> int:
        """How many processes train a run that requests `asked` of them; None for the default of this executor.

        Raises InvalidInput for a number that it cannot have.
        """
        if asked not in (None, 1):
            raise InvalidInput(
                f"processes: {asked}, and this server trains in one. Start it with TUNIXRT_EXECUTOR for a Ray cluster, "
                "or train with `tunixrt train --processes` on each machine."
            )
        return 1

    def left(self) -> Sequence[JobSpec]:
        """Jobs that the last process with this home left to workers, which may still do them."""
        return ()

    def close(self) -> None:  # noqa: B027 - a job of this process is stopped by its StopRequest
        """This process ends: `run` returns, and workers elsewhere are left alone."""
