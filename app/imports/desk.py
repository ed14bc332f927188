"""Imports and checks that pages ask for: made in one thread of this process, watched and ended from any page."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, cast

from app.state import PerPipeline
from app.ui.desk import over_within
from tunixrt_core.errors import Cancelled
from tunixrt_core.ingest.report import Diagnosis, ImportProgress, ImportReport
from tunixrt_core.pipeline.pipeline import Pipeline

Kind = Literal["import", "check"]
OnProgress = Callable[[ImportProgress], None]
# what reads the file: it is given where rejected rows go, and whom to tell how far it is
Work = Callable[[BinaryIO, OnProgress], ImportReport | Diagnosis]

_REJECTS_IN_MEMORY = 4 << 20


@dataclass(slots=True)
class ImportJob:
    """One file on its way. `rejects` holds its rejected rows, byte for byte, once it is over."""

    kind: Kind
    name: str
    future: Future[ImportReport | Diagnosis] = field(default_factory=Future)
    progress: ImportProgress | None = None
    asked: Hashable = None
    rejects: BinaryIO = field(default_factory=lambda: _spool())
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def over(self) -> bool:
        return self.future.done()

    @property
    def cancelling(self) -> bool:
        return self._ended.is_set() and not self.over

    def cancel(self) -> None:
        """End it at the next word about its progress, or before it has begun. Nothing of it is stored."""
        self._ended.set()
        self.future.cancel()

    def wait(self, seconds: float) -> bool:
        """Whether it is over, now or within this time."""
        return over_within(self.future, seconds)

    def result(self) -> ImportReport | Diagnosis:
        """What came of it. Raises what ended it: Cancelled, UnreadableFile, StoreError."""
        try:
            return self.future.result()
        except CancelledError:
            raise Cancelled("It was cancelled before it began; nothing was stored.") from None

    def rejected(self) -> bytes:
        """The rejected rows as a file."""
        self.rejects.seek(0)
        return self.rejects.read()

    def tell(self, progress: ImportProgress) -> None:
        self.progress = progress
        if self._ended.is_set():
            raise Cancelled(f"{self.name} was cancelled after {progress.read:,} traces; nothing of it was stored.")


def _spool() -> BinaryIO:
    """In memory while it is small; it vanishes with the job."""
    return cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=_REJECTS_IN_MEMORY))


class ImportDesk:
    """One file at a time: a second waits for the first, as it would for the database."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tunixrt-import")
        self._lock = threading.Lock()  # pages of several sessions ask at once
        self._jobs: list[ImportJob] = []

    def start(self, kind: Kind, name: str, work: Work, *, asked: Hashable = None) -> ImportJob:
        """One that was `asked` for in the same words and is not over is given back instead."""
        job = ImportJob(kind, name, asked=asked)
        with self._lock:
            self._jobs = [known for known in self._jobs if not known.over]
            for known in self._jobs:
                if asked is not None and (known.kind, known.asked, known.cancelling) == (kind, asked, False):
                    return known
            self._jobs.append(job)
            job.future = self._pool.submit(lambda: work(job.rejects, job.tell))
        return job

    def under_way(self) -> list[ImportJob]:
        """Those that are not over, in their order: another page, or one that was closed, may have begun them."""
        with self._lock:
            return [job for job in self._jobs if not job.over]


_desks: PerPipeline[ImportDesk] = PerPipeline(lambda _: ImportDesk())


def desk_of(pipeline: Pipeline) -> ImportDesk:
    """The one desk of a Pipeline."""
    return _desks.of(pipeline)
