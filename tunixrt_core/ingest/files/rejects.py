"""Rejected rows, byte for byte, ready to be fixed and read again."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import orjson

from tunixrt_core.ingest.files.rows import RawRow
from tunixrt_core.util.files.space import cannot_write

Container = Literal["jsonl", "json", "json_rows", "csv", "parquet", "arrow", "excel", "files"]
_WITHOUT_BYTES = ("parquet", "arrow", "excel", "files")
_JSON = ("json", "json_rows")


class Rejects:
    """Writer of rejected rows. Lines stay lines, CSV rows follow their header, and rows of a JSON array form an array.
    Rows of tables, which have no bytes of their own, and those of several files are written as lines of JSON.
    """

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._container: Container = "jsonl"
        self._header = b""
        self.rows = 0

    @property
    def suffix(self) -> str:
        """The ending of a file that holds them."""
        if self._container in _WITHOUT_BYTES:
            return ".jsonl"
        return ".json" if self._container in _JSON else f".{self._container}"

    def begin(self, container: Container, header: bytes = b"") -> None:
        """Say what the file is, before the first row of it is rejected."""
        if self._container != "files":
            self._container, self._header = container, header

    def begin_several(self) -> None:
        """Say that there are several files, perhaps of several kinds: their rows are written as lines of JSON."""
        self._container = "files"

    def add(self, row: RawRow) -> None:
        if row.data is None and self._container not in _WITHOUT_BYTES:
            pass  # it was spilled
        elif self._container == "files" and isinstance(row.value, dict):
            self._sink.write(orjson.dumps(row.value, default=repr) + b"\n")
        elif self._container in _JSON:
            self._sink.write((b",\n" if self.rows else b"[\n") + row.bytes)
        else:
            self._write_header()
            self._sink.write(row.bytes + b"\n")
        self.rows += 1

    def spill(self, piece: bytes) -> None:
        """A piece of a line that is too long to be held, with its end where that is in it."""
        self._write_header()
        self._sink.write(piece)

    def end(self) -> None:
        """Close what has to be closed. Nothing is written where nothing was rejected."""
        if self._container in _JSON and self.rows:
            self._sink.write(b"\n]\n")

    def _write_header(self) -> None:
        if self._header:
            self._sink.write(self._header + b"\n")
            self._header = b""


@contextmanager
def rejects_file(path: Path) -> Iterator[Rejects]:
    """Rejects that are moved to `path` once all is read. Without rejects, or after an error, `path` is left as it was.

    Raises OutputError where it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sink = temporary.open("wb")
    except OSError as error:
        raise cannot_write(path, error, "Choose another place.") from None
    try:
        with sink:
            rejects = Rejects(sink)
            yield rejects
            rejects.end()
        if rejects.rows:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
