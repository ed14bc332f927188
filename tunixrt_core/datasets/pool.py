"""Candidates in little memory: packed bytes, on the disk where they are many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, overload

from tunixrt_core.util.files.records import SHA256, Records

_ID = 8  # bytes


class Candidate(NamedTuple):
    """A trace as the selection sees it, without its text. `id` is the database's own and decides nothing here.

    The later fields are filled where a selection asks for them: the value it is stratified by, its score, its length
    in bytes, its estimated tokens, and whether its answer is right.
    """

    id: int
    hash: str
    group_key: str
    stratum: str = ""
    score: float | None = None
    size: int = 0
    tokens: int = 0
    right: bool = False


class Pool(Sequence[Candidate]):
    """Candidates as they come from the store, without facts. Each access makes a new object."""

    def __init__(self, candidates: Iterable[Candidate] = (), folder: Path | None = None) -> None:
        """`folder` takes what is too much for the memory."""
        self.folder = folder
        self._records = Records(_ID + 2 * SHA256, map(_packed, candidates), folder=folder)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Candidate]:
        return map(_unpacked, self._records)

    @overload
    def __getitem__(self, at: int) -> Candidate: ...
    @overload
    def __getitem__(self, at: slice) -> Pool: ...
    def __getitem__(self, at: int | slice) -> Candidate | Pool:
        places = range(len(self))[at]
        if isinstance(places, int):
            return _unpacked(self._records[places])
        return Pool(map(self.__getitem__, places), self.folder)

    def hashes(self) -> Iterator[str]:
        """In their order."""
        return (candidate.hash for candidate in self)


def distinct_groups(candidates: Iterable[Candidate], folder: Path | None = None) -> int:
    """How many prompt groups candidates are of."""
    keys = Records(SHA256, (bytes.fromhex(one.group_key) for one in candidates), folder=folder)
    return sum(1 for _ in groupby(keys.sorted()))


def _packed(candidate: Candidate) -> bytes:
    return candidate.id.to_bytes(_ID, "big") + bytes.fromhex(candidate.hash + candidate.group_key)


def _unpacked(record: bytes) -> Candidate:
    digits = record[_ID:].hex()
    return Candidate(int.from_bytes(record[:_ID], "big"), digits[: 2 * SHA256], digits[2 * SHA256 :])
