"""Rejected rows of recent imports, kept for download."""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO, cast
from weakref import WeakKeyDictionary

from tunixrt_core.errors import NotFound
from tunixrt_core.ingest.files.rejects import Rejects
from tunixrt_core.pipeline.pipeline import Pipeline

ADDRESS = "/api/traces/rejects/"
_BLOCK = 1 << 20
_MAX_FILES = 16
_MAX_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Rejected:
    """One file of rejected rows. It has no name on disk, so the system deletes it once nothing refers to it."""

    file: IO[bytes]
    size: int
    suffix: str

    def blocks(self) -> Iterator[bytes]:
        """The content. Several threads may read at once."""
        at = 0
        while block := os.pread(self.file.fileno(), _BLOCK, at):
            at += len(block)
            yield block


class RejectedFiles:
    """The newest files, limited in number and size; the oldest are dropped first."""

    def __init__(self, max_files: int = _MAX_FILES, max_bytes: int = _MAX_BYTES) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Rejected] = {}
        self._max_files, self._max_bytes = max_files, max_bytes

    def keep(self, rejected: Rejected) -> str:
        """Keep a file and return its id. The newest file is kept whatever its size."""
        id = secrets.token_hex(8)
        with self._lock:
            self._kept[id] = rejected
            while len(self._kept) > 1 and (
                len(self._kept) > self._max_files or sum(one.size for one in self._kept.values()) > self._max_bytes
            ):
                del self._kept[next(iter(self._kept))]
        return id

    def get(self, id: str) -> Rejected:
        """Raises NotFound."""
        with self._lock:
            if id in self._kept:
                return self._kept[id]
        raise NotFound(
            "rejects file", id, f"Rejected rows of the last {self._max_files} files are kept. Send the file again."
        )


@dataclass(slots=True)
class Kept:
    """Sink of rejected rows, and their download address after the whole file was read; None if there are none."""

    rejects: Rejects
    address: str | None = None


@contextmanager
def kept_rejects(pipeline: Pipeline) -> Iterator[Kept]:
    """Context of rejected rows, kept only if its block ends without an error."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # open for as long as it is kept
    kept = Kept(Rejects(cast(BinaryIO, file)))
    yield kept
    if kept.rejects.rows:
        file.flush()
        rejected = Rejected(file, os.fstat(file.fileno()).st_size, kept.rejects.suffix)
        kept.address = ADDRESS + rejected_of(pipeline).keep(rejected)


_files: WeakKeyDictionary[Pipeline, RejectedFiles] = WeakKeyDictionary()
_files_lock = threading.Lock()


def rejected_of(pipeline: Pipeline) -> RejectedFiles:
    """The files of a Pipeline."""
    with _files_lock:
        return _files.setdefault(pipeline, RejectedFiles())
