"""The queue that several servers of one home share."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tunixrt_core.errors import Conflict, StoreError, TunixRTError
from tunixrt_core.jobs.spec import Follower, JobSpec, Kind
from tunixrt_core.jobs.waiting.job import WaitingJob
from tunixrt_core.util import owners

if TYPE_CHECKING:
    from tunixrt_core.jobs.waiting.one_machine import WorkerLock
    from tunixrt_core.store.records.taken import TakenJob

log = logging.getLogger(__name__)

# those whose state is in a folder of the home; the others end with their server
KINDS: frozenset[Kind] = frozenset({"train", "evaluate"})
_AGAIN_SECONDS = 2.0  # between two attempts to reach the database
_LOSSES = 3  # owners that a job may lose before it is given up


class Adopted(NamedTuple):
    """A job that this server has taken: to be done next, by an attempt of this process."""

    spec: JobSpec
    follower: Follower


class Jobs(Protocol):
    """Where servers share what waits, as of `JobStore` and `FileJobs`."""

    @property
    def look_seconds(self) -> float: ...
    def add(self, job_id: str, home: str, spec: str) -> None: ...
    def claim(self, job_id: str, owner: str) -> bool: ...
    def take(self, home: str, owner: str, *, but: Collection[str] = ()) -> TakenJob | None: ...
    def give_back(self, taken: TakenJob) -> None: ...
    def renew(self, job_id: str, owner: str, spec: str) -> None: ...
    def beat(self, owner: str) -> None: ...
    def end(self, job_id: str, owner: str) -> None: ...
    def waiting(self, home: str) -> dict[str, str]: ...
    def known(self, home: str) -> set[str]: ...


class SharedQueue:
    """The trainings and evaluations of one home, shared by its servers. Other kinds pass through untouched.

    With a `worker` lock the server that holds it does them all, and another one once that is dead; without, each does
    its own and what waits elsewhere while it is free.
    """

    def __init__(self, store: Jobs, home: str, worker: WorkerLock | None = None) -> None:
        self._store = store
        self._worker = worker
        self._home = home
        self._owner = owners.this_owner()
        self._follower_of: Callable[[JobSpec], Follower] | None = None  # of a server
        self._unusable: set[str] = set()  # jobs whose folder this server cannot use
        self.others: tuple[WaitingJob, ...] = ()  # that wait at other servers, as of the last exchange

    def add(self, spec: JobSpec) -> bool:
        """Let a job wait, for any server. Whether this one may do it too. Raises StoreError."""
        if spec.kind not in KINDS:
            return True
        self._store.add(spec.id, self._home, spec.to_json().decode())
        return self._works()

    def _works(self) -> bool:
        return self._worker is None or self._worker.take()

    def look_seconds(self) -> float:
        """Seconds between two exchanges."""
        return self._store.look_seconds

    def close(self) -> None:
        """This server ends: another one does the jobs from now on."""
        if self._worker:
            self._worker.release()

    def claim(self, spec: JobSpec, closed: Callable[[], bool]) -> bool:
        """Whether this process may begin a job: nobody else has taken it. Waits for the database until `closed`."""
        if spec.kind not in KINDS:
            return True
        while not closed():
            try:
                return self._store.claim(spec.id, self._owner)
            except StoreError as error:
                log.warning("%s waits for the shared queue: %s", spec.id, error)
                time.sleep(_AGAIN_SECONDS)
        return False

    def is_ours(self, spec: JobSpec) -> bool:
        """Whether this process still has a job that waits here; without the database it is taken to have it."""
        try:
            return spec.kind not in KINDS or self._store.claim(spec.id, self._owner)
        except StoreError as error:
            log.warning("The shared queue is not reached: %s", error)
            return True

    def withdraw(self, job_id: str) -> bool:
        """Remove a job that waits at another server; False where none of this id does. Raises StoreError."""
        text = self._store.waiting(self._home).get(job_id)
        if text is None or self._follower_of is None or not self._store.claim(job_id, self._owner):
            return False
        spec = JobSpec.from_json(text.encode())
        follower = self._follower_of(spec)
        if ours := follower.lost(spec, "", again=True):  # its folder is then that of this process
            follower.dropped(ours)
        self.end(spec)
        return True

    def why_not_moved(self, job_id: str) -> Conflict | None:
        """What to raise where a job waits at another server, which alone changes its order; None where none does."""
        if all(job.id != job_id for job in self.others):
            return None
        return Conflict(
            f"{job_id} does not wait at this server, so it keeps its place. Only what was started at the server that "
            "does the jobs can be moved, at that server."
        )

    def end(self, spec: JobSpec) -> None:
        """It is over, or left the queue; nothing where another server has it."""
        if spec.kind not in KINDS:
            return
        try:
            self._store.end(spec.id, self._owner)
        except StoreError as error:  # a server that ends later finds its folder over
            log.warning("%s is not removed from the shared queue: %s", spec.id, error)

    def exchange(self, here: Iterable[JobSpec]) -> set[str]:
        """Give a sign of life, and look what waits. The ids of jobs that wait here and were taken by another server."""
        ids = {spec.id for spec in here if spec.kind in KINDS}
        try:
            self._store.beat(self._owner)
            waiting = self._store.waiting(self._home)
        except StoreError as error:
            log.warning("The shared queue is not reached: %s", error)
            return set()
        specs = [JobSpec.from_json(text.encode()) for job_id, text in waiting.items() if job_id not in ids]
        self.others = tuple(WaitingJob(spec.id, spec.run, spec.kind) for spec in specs)
        return ids - set(waiting)

    def begin(self, follower_of: Callable[[JobSpec], Follower]) -> set[str]:
        """From now on also do jobs of other servers. The ids of all jobs at servers of this home. Raises StoreError.

        On one machine, what the last server left when no other one was there is forgotten: as without this queue, what
        waited is queued again by its folder, and a run that was trained is interrupted.
        """
        self._follower_of = follower_of
        if self._worker and self._worker.take():
            self._worker.jobs.forget(lambda text: not self._waits(JobSpec.from_json(text.encode()), follower_of))
        return self._store.known(self._home)

    def _waits(self, spec: JobSpec, follower_of: Callable[[JobSpec], Follower]) -> bool:
        """Whether a job waits for a server that is alive."""
        try:
            return follower_of(spec).condition(spec) == "alive"
        except TunixRTError as error:
            log.warning("%s leaves the queue: %s", spec.id, error)
            return False

    def adopt(self) -> Adopted | None:
        """Take a job that waits at a server, or that a dead one has begun, and make it this process's; None without
        one.
        """
        try:
            if self._follower_of is None or not self._works():
                return None
            taken = self._store.take(self._home, self._owner, but=self._unusable)
            return self._made_ours(taken, self._follower_of) if taken else None
        except StoreError as error:
            log.warning("The shared queue is not reached: %s", error)
            return None

    def _made_ours(self, taken: TakenJob, follower_of: Callable[[JobSpec], Follower]) -> Adopted | None:
        spec = JobSpec.from_json(taken.spec.encode())
        follower = follower_of(spec)
        try:
            condition = follower.condition(spec)
            if condition == "over":  # its server did not live to forget it
                self.end(spec)
                return None
            if taken.lost is not None and condition == "alive":
                # its server does not reach the database and works on: its folder says so
                self._store.give_back(taken)
                return None
            following = follower.lost(spec, _why(taken), again=taken.losses < _LOSSES)
        except (TunixRTError, OSError) as error:
            log.warning("%s is left to other servers, as this one cannot use its folder: %s", spec.id, error)
            self._unusable.add(spec.id)
            self._store.give_back(taken)
            return None
        if following is None:
            self.end(spec)
            return None
        self._store.renew(spec.id, self._owner, following.to_json().decode())
        log.info("%s is taken over. %s", spec.id, _why(taken) or "It waited at another server.")
        return Adopted(following, follower)


def _why(taken: TakenJob) -> str:
    """What became of its last server; empty for a job that waits."""
    return f"The server that did it, {owners.words(taken.lost)}, shows no sign of life." if taken.lost else ""
