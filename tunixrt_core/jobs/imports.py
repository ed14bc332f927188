"""Imports and checks of files in the background."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, Unpack, cast

from tunixrt_core.errors import Stopped
from tunixrt_core.ingest.options import Reading
from tunixrt_core.ingest.progress import OnProgress, RejectsTo
from tunixrt_core.ingest.report import Diagnosis, ImportProgress, ImportReport
from tunixrt_core.util.tasks import Progress, Task, Tasks

ImportKind = Literal["import", "check"]
Source = Path | BinaryIO | Sequence[Path]
_REJECTS_IN_MEMORY = 4 << 20
_KEPT = 24  # files, each with its rejected rows


@dataclass(frozen=True, slots=True)
class FileRead:
    """The report of a whole file, and its rejected rows, byte for byte."""

    report: ImportReport | Diagnosis
    rejects: BinaryIO

    def rejected(self) -> bytes:
        """The rejected rows as a file."""
        self.rejects.seek(0)
        return self.rejects.read()


class Read(Protocol):
    """A function that reads a file: Traces.ingest stores its traces, Traces.diagnose stores none."""

    def __call__(
        self, source: Source, *, rejects: RejectsTo, on_progress: OnProgress | None, **words: Unpack[Reading]
    ) -> ImportReport | Diagnosis: ...


class Imports(Tasks[FileRead]):
    """The files that this process reads in the background: one at a time, as the database takes one import."""

    def __init__(self, ingest: Read, diagnose: Read) -> None:
        super().__init__("import", at_once=1, keep=_KEPT)
        self._read: dict[ImportKind, Read] = {"import": ingest, "check": diagnose}

    def begin(
        self, kind: ImportKind, source: Source, *, key: Hashable = None, **words: Unpack[Reading]
    ) -> Task[FileRead]:
        """Import a file, or check it. One of the same `key` and kind in progress is returned instead.

        Progress counts traces; the total is estimated from the bytes read. A stop leaves nothing in the store.
        """
        name = words.get("name") or (source.name if isinstance(source, Path) else "upload")

        def work(on_progress: Progress, stop: threading.Event) -> FileRead:
            rejects = _spool()
            told = _told(name, on_progress, stop)
            return FileRead(self._read[kind](source, rejects=rejects, on_progress=told, **words), rejects)

        return self.start(work, key=None if key is None else (kind, key), kind=kind, title=name)


def _spool() -> BinaryIO:
    """In memory while it is small; it is deleted with the task."""
    return cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=_REJECTS_IN_MEMORY))


def _told(name: str, on_progress: Progress, stop: threading.Event) -> Callable[[ImportProgress], None]:
    def tell(now: ImportProgress) -> None:
        if stop.is_set():
            raise Stopped(f"{name} was stopped after {now.read:,} traces; none of them was stored.")
        phase = "finishing" if now.share == 1 else "reading"
        on_progress(phase, now.read, round(now.read / now.share) if now.share else 0)

    return tell
