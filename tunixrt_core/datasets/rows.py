"""The rows of a version in little memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tunixrt_core.traces.rows import Split
from tunixrt_core.util.files.records import SHA256, Records, Stream

_SIDES: tuple[Split, ...] = ("eval", "train")


class DatasetRow(NamedTuple):
    """One trace of a version, and its side of the split."""

    hash: str
    split: Split


class Rows(Stream[DatasetRow]):
    """Rows in the order of their hashes: 33 bytes each, on the disk where they are many."""

    def __init__(self, rows: Iterable[DatasetRow] = (), folder: Path | None = None) -> None:
        """`rows` in any order; `folder` takes what is too much for the memory."""
        self.folder = folder
        packed = (bytes.fromhex(row.hash) + bytes([_SIDES.index(row.split)]) for row in rows)
        given = Records(SHA256 + 1, packed, folder=folder)
        self._records = Records(SHA256 + 1, given.sorted(), folder=folder)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[DatasetRow]:
        return (DatasetRow(record[:SHA256].hex(), _SIDES[record[SHA256]]) for record in self._records)

    def hashes(self, split: Split) -> Iterator[str]:
        """Those of one side, in their order."""
        return (row.hash for row in self if row.split == split)
