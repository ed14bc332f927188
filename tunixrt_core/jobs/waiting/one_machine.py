"""The queue of several servers on one machine, in a file of the home."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tunixrt_core.errors import OutputError, StoreError
from tunixrt_core.store.records.taken import TakenJob
from tunixrt_core.util import owners
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.private import make_private
from tunixrt_core.util.files.regular import read_object_or_none

Row = dict[str, Any]  # spec, owner (or None), losses, begun
Rows = dict[str, Row]  # by id, in their order
_KEYS = {"spec", "owner", "losses", "begun"}


class WorkerLock:
    """Held by the one server of a home that does trainings and evaluations. The system frees it when that one dies."""

    def __init__(self, file: Path, jobs: FileJobs) -> None:
        self.jobs = jobs
        self._file = file
        self._handle: int | None = None

    def take(self) -> bool:
        """Whether this process holds it, from now on at the latest. Raises StoreError."""
        if self._handle is None:
            self._handle = _locked(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self._handle is not None

    def release(self) -> None:
        """Leave the jobs to another server."""
        if self._handle is not None:
            os.close(self._handle)  # which frees the lock
            self._handle = None


class FileJobs:
    """What `JobStore` is in PostgreSQL, in a file of the home.

    A start does not wait for an import, which holds SQLite's only writer. A sign of life is not needed, as the system
    knows the processes of its machine.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = file.with_suffix(".lock")

    @property
    def look_seconds(self) -> float:
        """Seconds between two looks of a server."""
        return 1.0

    def add(self, job_id: str, home: str, spec: str) -> None:
        """Let a job wait. One of the same id is replaced: in its place if it waits, else it is over by now.

        Raises StoreError, as all others.
        """
        with self._changing() as rows:
            if job_id in rows and rows[job_id]["owner"] is not None:
                del rows[job_id]
            rows[job_id] = {"spec": spec, "owner": None, "losses": 0, "begun": False}

    def claim(self, job_id: str, owner: str, spec: str) -> bool:
        """Own a job that waits to do this; False where it does not any more, such as when another server was first."""
        with self._changing() as rows:
            row = rows.get(job_id)
            if row is None or row["owner"] not in (None, owner) or row["spec"] != spec:
                return False
            row |= {"owner": owner, "begun": True}
            return True

    def take(self, home: str, owner: str, *, but: Collection[str] = ()) -> TakenJob | None:
        """Own the first job that waits, or whose owner is dead, `but` for these; None without one."""
        with self._changing() as rows:
            for job_id, row in rows.items():
                before = row["owner"]
                if job_id in but or before == owner or (before is not None and owners.alive(before, 0.0)):
                    continue
                row |= {"owner": owner, "losses": row["losses"] + (before is not None), "begun": False}
                return TakenJob(job_id, row["spec"], row["losses"], before)
        return None

    def give_back(self, taken: TakenJob) -> None:
        """Leave a job as it was before it was taken."""
        with self._changing() as rows:
            if taken.id in rows:
                losses = taken.losses - (taken.lost is not None)
                rows[taken.id] |= {"owner": taken.lost, "losses": losses, "begun": taken.lost is not None}

    def let_wait(self, job_id: str, owner: str, spec: str) -> None:
        """Let a job that this owner has taken wait again, to do this."""
        with self._changing() as rows:
            if job_id in rows and rows[job_id]["owner"] == owner:
                rows[job_id] |= {"spec": spec, "owner": None, "begun": False}

    def arrange(self, ids: Sequence[str]) -> None:
        """Put jobs into this order, before all others."""
        with self._changing() as rows:
            first = {job_id: rows[job_id] for job_id in ids if job_id in rows}
            others = {job_id: row for job_id, row in rows.items() if job_id not in first}
            rows.clear()
            rows |= first | others

    def beat(self, owner: str) -> None:
        """Nothing: a process of this machine is known to be alive."""

    def end(self, job_id: str, owner: str) -> None:
        """Forget a job that waits or that this owner has; one of another owner stays."""
        with self._changing() as rows:
            if job_id in rows and rows[job_id]["owner"] in (None, owner):
                del rows[job_id]

    def waiting(self, home: str) -> dict[str, str]:
        """The jobs that wait, by id, in their order: what each is to do. Also those that go from server to server."""
        return {job_id: row["spec"] for job_id, row in self._rows().items() if not row["begun"]}

    def known(self, home: str) -> set[str]:
        """The ids of all jobs."""
        return set(self._rows())

    def left(self, over: Callable[[str], bool]) -> list[str]:
        """The jobs of dead owners, and of those that wait the ones that are `over`, by what they are to do; by id, in
        their order.
        """
        return list(_left(self._rows(), over))

    def forget(self, over: Callable[[str], bool]) -> None:
        """Forget what is left."""
        with self._changing() as rows:
            for job_id in list(_left(rows, over)):
                del rows[job_id]

    def _rows(self) -> Rows:
        # what cannot be read counts as absent: the folders of its runs show what became of them
        found = (read_object_or_none(self._file) or {}).get("jobs")
        if not isinstance(found, dict):
            return {}
        return {job_id: row for job_id, row in found.items() if isinstance(row, dict) and row.keys() >= _KEYS}

    @contextmanager
    def _changing(self) -> Iterator[Rows]:
        handle = _locked(self._lock, fcntl.LOCK_EX)
        assert handle is not None
        try:
            rows = self._rows()
            before = repr(rows)
            yield rows
            if repr(rows) != before:
                write_json(self._file, {"jobs": rows})
        except (OSError, OutputError) as error:
            raise _unusable(self._file, error) from None
        finally:
            os.close(handle)


def _left(rows: Rows, over: Callable[[str], bool]) -> Iterator[str]:
    for job_id, row in rows.items():
        if over(row["spec"]) if row["owner"] is None else not owners.alive(row["owner"], 0.0):
            yield job_id


def _locked(file: Path, how: int) -> int | None:
    """The handle of a file that is locked now; None where another process has it. Raises StoreError."""
    try:
        make_private(file.parent)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (OSError, OutputError) as error:
        raise _unusable(file, error) from None
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _unusable(file: Path, error: Exception) -> StoreError:
    return StoreError(f"The queue {file} cannot be written ({error}). Fix the permissions of the home.")
