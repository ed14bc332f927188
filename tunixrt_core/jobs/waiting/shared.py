"""The queue that several servers of one home share."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tunixrt_core.errors import Conflict, StoreError, TunixRTError
from tunixrt_core.jobs.spec import Follower, JobSpec, Kind
from tunixrt_core.jobs.waiting.job import WaitingJob
from tunixrt_core.jobs.waiting.left import Known
from tunixrt_core.util import owners

if TYPE_CHECKING:
    from tunixrt_core.jobs.waiting.one_machine import WorkerLock
    from tunixrt_core.store.records.taken import TakenJob

log = logging.getLogger(__name__)

# those whose state is in a folder of the home; the others end with their server
KINDS: frozenset[Kind] = frozenset({"train", "evaluate"})
_AGAIN_SECONDS = 2.0  # between two attempts to reach the database
_LOSSES = 3  # owners that a job may lose before it is given up
_HAND_OVER_SECONDS = 2.0  # that a server which ends waits for the one that takes what it leaves


class Adopted(NamedTuple):
    """A job that this server has taken: to be done next, by an attempt of this process."""

    spec: JobSpec
    follower: Follower


class Jobs(Protocol):
    """Where servers share what waits, as of `JobStore` and `FileJobs`."""

    @property
    def look_seconds(self) -> float: ...
    def add(self, job_id: str, home: str, spec: str) -> None: ...
    def claim(self, job_id: str, owner: str, spec: str) -> bool: ...
    def take(self, home: str, owner: str, *, but: Collection[str] = ()) -> TakenJob | None: ...
    def give_back(self, taken: TakenJob) -> None: ...
    def let_wait(self, job_id: str, owner: str, spec: str) -> None: ...
    def arrange(self, ids: Sequence[str]) -> None: ...
    def beat(self, owner: str) -> None: ...
    def end(self, job_id: str, owner: str) -> None: ...
    def waiting(self, home: str) -> dict[str, str]: ...
    def known(self, home: str) -> set[str]: ...


class SharedQueue:
    """The trainings and evaluations of one home, shared by its servers. Other kinds pass through untouched.

    With a `worker` lock the server that holds it does them all, and another one once that is gone; without, each does
    its own and what waits elsewhere while it is free. What waits at a server that is gone waits on at another one.
    """

    def __init__(self, store: Jobs, home: str, worker: WorkerLock | None = None) -> None:
        self._store = store
        self._worker = worker
        self._home = home
        self._owner = owners.this_owner()
        self._follower_of: Callable[[JobSpec], Follower] | None = None  # of a server
        self._unusable: set[str] = set()  # jobs whose folder this server cannot use
        self._elsewhere: dict[str, str] = {}  # what waits at other servers, as of the last exchange
        self._ended = False

    def add(self, spec: JobSpec) -> bool:
        """Let a job wait, for any server. Whether this one may do it too. Raises StoreError."""
        if spec.kind not in KINDS:
            return True
        self._store.add(spec.id, self._home, _text(spec))
        return self._works()

    def _works(self) -> bool:
        return not self._ended and (self._worker is None or self._worker.take())

    def look_seconds(self) -> float:
        """Seconds between two exchanges."""
        return self._store.look_seconds

    def leave(self) -> None:
        """This process ends: another server does the jobs from now on."""
        self._ended = True
        if self._worker:
            self._worker.release()

    def hand_over(self, left: Iterable[JobSpec]) -> None:
        """Wait until another server of this machine has what is left, so that it is never shown as without a server;
        not for long, as there may be none.
        """
        texts = {_text(spec) for spec in left}
        end = time.monotonic() + _HAND_OVER_SECONDS
        while self._worker and not texts.isdisjoint(self._store.waiting(self._home).values()):
            if time.monotonic() > end:
                return
            time.sleep(0.1)

    def claim(self, spec: JobSpec, closed: Callable[[], bool]) -> bool:
        """Whether this process may begin a job: nobody else has taken it. Waits for the database until `closed`."""
        if spec.kind not in KINDS:
            return True
        while not closed():
            try:
                return self._store.claim(spec.id, self._owner, _text(spec))
            except StoreError as error:
                log.warning("%s waits for the shared queue: %s", spec.id, error)
                time.sleep(_AGAIN_SECONDS)
        return False

    def is_ours(self, spec: JobSpec) -> bool:
        """Whether this process still has a job that waits here; without the database it is taken to have it."""
        try:
            return spec.kind not in KINDS or self._store.claim(spec.id, self._owner, _text(spec))
        except StoreError as error:
            log.warning("The shared queue is not reached: %s", error)
            return True

    def withdraw(self, job_id: str) -> bool:
        """Remove a job that waits at another server; False where none of this id does. Raises StoreError."""
        text = self._store.waiting(self._home).get(job_id)
        if text is None or self._follower_of is None or not self._store.claim(job_id, self._owner, text):
            return False
        spec = JobSpec.from_json(text.encode())
        follower = self._follower_of(spec)
        if ours := follower.lost(spec, "", again=True):  # its folder is then that of this process
            follower.dropped(ours)
        self.end(spec)
        return True

    def others(self, here: Set[str]) -> tuple[WaitingJob, ...]:
        """What waits at other servers, as of the last exchange, or now where that is a file; `here`: at this one."""
        found = self._store.waiting(self._home) if self._worker else self._elsewhere
        specs = (JobSpec.from_json(text.encode()) for job_id, text in found.items() if job_id not in here)
        return tuple(WaitingJob(spec.id, spec.run, spec.kind, here=False) for spec in specs)

    def why_not_moved(self, job_id: str) -> Conflict | None:
        """What to raise where a job waits at another server, which alone changes its order; None where none does."""
        if all(job.id != job_id for job in self.others(frozenset())):
            return None
        return Conflict(f"{job_id} waits at another server of this home, which alone orders it. Move it there.")

    def arrange(self, ids: Sequence[str]) -> None:
        """The jobs of this process wait in this order, also for who takes them when it ends."""
        try:
            self._store.arrange(ids)
        except StoreError as error:
            log.warning("The shared queue is not reached: %s", error)

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
        texts = {spec.id: _text(spec) for spec in here if spec.kind in KINDS}
        try:
            self._store.beat(self._owner)
            waiting = self._store.waiting(self._home)
        except StoreError as error:
            log.warning("The shared queue is not reached: %s", error)
            return set()
        self._elsewhere = {job_id: text for job_id, text in waiting.items() if job_id not in texts}
        return {job_id for job_id, text in texts.items() if waiting.get(job_id) != text}

    def begin(self, follower_of: Callable[[JobSpec], Follower]) -> Known:
        """From now on also do jobs of other servers. What servers of this home have. Raises StoreError.

        On one machine, what the last server left when no other one was there is done as without this queue: what
        waited is queued again by its folder, and a run that was trained is interrupted. `settle` follows.
        """
        self._follower_of = follower_of
        left = self._worker.jobs.left(self._has_no_server) if self._worker and self._worker.take() else []
        return Known(self._store.known(self._home) - set(left), left)

    def settle(self) -> None:
        """Forget what is left once all that could be queued again is: until then each job has its place here."""
        if self._worker and self._worker.take():
            self._worker.jobs.forget(self._has_no_server)

    def _has_no_server(self, text: str) -> bool:
        """Whether a job waits for no server that is alive, or is no job."""
        assert self._follower_of is not None
        try:
            spec = JobSpec.from_json(text.encode())
            return self._follower_of(spec).condition(spec) != "alive"
        except (TunixRTError, ValueError):  # its folder is broken, which who takes it says; or it is of another version
            return True

    def adopt(self, here: Set[str], *, free: bool) -> Iterator[Adopted]:
        """Take what dead servers left, and make it wait here: what waited, and what they had begun.

        The one server that does all jobs takes whatever waits; another one, if it is `free`, one that waits elsewhere.
        `here` are the jobs of this process.
        """
        if (follower_of := self._follower_of) is None:
            return
        but, all_jobs = {*here, *self._unusable}, self._worker is not None
        try:
            if not self._works():
                return
            while taken := self._store.take(
                self._home, self._owner, but=but if all_jobs or free else but | self._kept()
            ):
                but.add(taken.id)
                free = False
                if adopted := self._made_ours(taken, follower_of):
                    yield adopted
        except StoreError as error:
            log.warning("The shared queue is not reached: %s", error)

    def _kept(self) -> set[str]:
        """What waits at other servers that are alive."""
        return {job_id for job_id, text in self._elsewhere.items() if not self._has_no_server(text)}

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
        self._store.let_wait(spec.id, self._owner, _text(following))
        log.info("%s is taken over. %s", spec.id, _why(taken) or "It waited at another server.")
        return Adopted(following, follower)


def _text(spec: JobSpec) -> str:
    return spec.to_json().decode()


def _why(taken: TakenJob) -> str:
    """What became of its last server; empty for a job that waits."""
    if taken.lost is None:
        return ""
    why = f"The server that did it, {owners.words(taken.lost)}, shows no sign of life."
    return f"{why} {taken.losses} servers ended while they did it." if taken.losses >= _LOSSES else why
