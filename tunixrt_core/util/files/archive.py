"""Zip archives that are streamed while they are made."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_BLOCK = 1 << 20


class Sink(io.RawIOBase):
    """Collects what a `ZipFile` writes, until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        pieces, self._pieces = b"".join(self._pieces), []
        return pieces


def stored_files(files: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """A zip of `(name, file)` in pieces of about 1 MiB, not compressed: weights would not get smaller.

    Raises OSError for a file that cannot be read.
    """
    sink = Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
            with open(path, "rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while block := source.read(_BLOCK):
                    target.write(block)
                    yield sink.taken()
    yield sink.taken()
