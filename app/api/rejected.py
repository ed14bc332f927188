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
    """One file of rejected rows. It has no name on disk, so it is gone when nobody holds it any more."""

    file: IO[bytes]
    size: int
    suffix: str

    def blocks(self) -> Iterator[bytes]:
        """Its content. Several may read it at once."""
        at = 0
        while block := os.pread(self.file.fileno(), _BLOCK, at):
            at += len(block)
            yield block


class RejectedFiles:
    """The newest files, of bounded number and size; the oldest go first."""

    def __init__(self, max_files: int = _MAX_FILES, max_bytes: int = _MAX_BYTES) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Rejected] = {}
        self._max_files, self._max_bytes = max_files, max_bytes

    def keep(self, rejected: Rejected) -> str:
        """The name to ask for it by. The one that came last is kept however large it is."""
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
        raise NotFound("rejects file", id, f"Those of the last {self._max_files} files are kept; send the file again.")


@dataclass(slots=True)
class Kept:
    """Where rejected rows go, and the address they can be downloaded from, once all are there and if there are any."""

    rejects: Rejects
    address: str | None = None


@contextmanager
def kept_rejects(pipeline: Pipeline) -> Iterator[Kept]:
    """Rejected rows that are kept where what is done with them ends well."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as it is kept
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
