"""Many records in little memory, and their order.

Beyond a few megabytes they are in a file without a name, and are sorted by merging: sorted runs that are merged are an
external merge sort (Knuth, TAOCP 3, 5.4).
"""

from __future__ import annotations

import heapq
import os
import tempfile
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from operator import eq
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")
HELD = 4 << 20  # bytes of one kind of records in memory, and of a run that is sorted
SHA256 = 32  # bytes of a hash
_BLOCK = 64 << 10  # bytes read at once of each run that is merged
_BUFFER = 4 << 10  # bytes of a file, which is written by blocks and read past it; Python 3.14 would take 128 KiB


class Stream(Collection[T]):
    """Values that are known in number and read in order, as often as wanted; equal to any collection of the same."""

    @abstractmethod
    def __iter__(self) -> Iterator[T]: ...

    @abstractmethod
    def __len__(self) -> int: ...

    def __contains__(self, value: object) -> bool:
        return any(one == value for one in self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Collection) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # values are added


class Records(Sequence[bytes]):
    """Byte strings of one width. At most `held` bytes are in memory; the others are in a temporary file of `folder`.

    The file has no name, so nothing stays behind, however the process ends. `folder` is that of `tempfile` by default.
    """

    def __init__(
        self, width: int, records: Iterable[bytes] = (), *, folder: Path | None = None, held: int | None = None
    ) -> None:
        self.width = width
        self.folder = folder
        self._held = max((held or HELD) // width, 1) * width
        self._tail = bytearray()
        self._file: IO[bytes] | None = None
        self._written = 0
        for record in records:
            self.append(record)

    def append(self, record: bytes) -> None:
        """One record, or several, one after the other. Raises ValueError for another width."""
        if len(record) % self.width:
            raise ValueError(f"{len(record)} bytes are no records of {self.width}.")
        self._tail += record
        if len(self._tail) >= self._held:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=_BUFFER, dir=self.folder)  # noqa: SIM115
            self._file.write(self._tail)
            self._file.flush()
            self._written += len(self._tail)
            self._tail.clear()

    def __len__(self) -> int:
        return (self._written + len(self._tail)) // self.width

    def __getitem__(self, at: int) -> bytes:  # type: ignore[override]  # no slices
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return self.read(at % len(self), 1)

    def __iter__(self) -> Iterator[bytes]:
        return self.between(0, len(self))

    def between(self, start: int, stop: int, *, block: int = _BLOCK) -> Iterator[bytes]:
        """Those from one place to another one, read `block` bytes at a time."""
        each = max(block // self.width, 1)
        for first in range(start, stop, each):
            held = self.read(first, min(each, stop - first))
            yield from (held[i : i + self.width] for i in range(0, len(held), self.width))

    def read(self, start: int, records: int) -> bytes:
        """That many records from one on, or as many as there are."""
        first, size = start * self.width, records * self.width
        found = b""
        if self._file is not None and first < self._written:
            found = os.pread(self._file.fileno(), min(size, self._written - first), first)
        place = max(first - self._written, 0)
        return found + bytes(self._tail[place : place + size - len(found)])

    def sorted(self) -> Iterator[bytes]:
        """In the order of their bytes."""
        each = self._held // self.width
        if len(self) <= each:
            return iter(sorted(self))
        runs = Records(self.width, folder=self.folder)
        starts = range(0, len(self), each)
        for start in starts:
            runs.append(b"".join(sorted(self.between(start, min(start + each, len(self)), block=self._held))))
        return heapq.merge(*(runs.between(start, min(start + each, len(self))) for start in starts))


class HashSet:
    """Hashes of hexadecimal digits by 32 bytes each, found by bisection. Made to be filled rarely and asked often."""

    def __init__(self, hashes: Iterable[str] = (), *, folder: Path | None = None) -> None:
        self._folder = folder
        self._sorted = bytearray()
        self.update(hashes)

    def update(self, hashes: Iterable[str]) -> None:
        new = Records(SHA256, (bytes.fromhex(one) for one in hashes), folder=self._folder)
        if not len(new):
            return
        old = (bytes(self._sorted[i : i + SHA256]) for i in range(0, len(self._sorted), SHA256))
        merged = bytearray()
        for one, _ in groupby(heapq.merge(old, new.sorted())):
            merged += one
        self._sorted = merged

    def __len__(self) -> int:
        return len(self._sorted) // SHA256

    def __contains__(self, hash: object) -> bool:
        wanted = bytes.fromhex(str(hash))
        place = bisect_left(range(len(self)), wanted, key=self._at)
        return place < len(self) and self._at(place) == wanted

    def _at(self, place: int) -> bytes:
        return bytes(self._sorted[place * SHA256 : (place + 1) * SHA256])
