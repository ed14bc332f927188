"""Candidates in little memory: packed bytes, on the disk where they are many."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, overload

from tunixrt_core.util.files.records import SHA256, Records

# hash, group key, id, place of the stratum, whether it has a score, whether it is right, score, size, tokens
_RECORD = struct.Struct(">32s32sQI??dQQ")


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
    """Candidates of some 100 bytes each, on the disk where they are many. Each access makes a new object.

    Each stratum is held once in memory.
    """

    def __init__(self, candidates: Iterable[Candidate] = (), folder: Path | None = None) -> None:
        """`folder` takes what is too much for the memory."""
        self.folder = folder
        self._strata: list[str] = []
        self._places: dict[str, int] = {}
        self._records = Records(_RECORD.size, map(self._packed, candidates), folder=folder)

    def append(self, candidate: Candidate) -> None:
        self._records.append(self._packed(candidate))

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Candidate]:
        return map(self._unpacked, self._records)

    @overload
    def __getitem__(self, at: int) -> Candidate: ...
    @overload
    def __getitem__(self, at: slice) -> Pool: ...
    def __getitem__(self, at: int | slice) -> Candidate | Pool:
        places = range(len(self))[at]
        if isinstance(places, int):
            return self._unpacked(self._records[places])
        return Pool(map(self.__getitem__, places), self.folder)

    def hashes(self) -> Iterator[str]:
        """In their order."""
        return (candidate.hash for candidate in self)

    def by_hash(self) -> Iterator[Candidate]:
        """In the order of their hashes."""
        return map(self._unpacked, self._records.sorted())

    def _packed(self, one: Candidate) -> bytes:
        place = self._places.setdefault(one.stratum, len(self._strata))
        if place == len(self._strata):
            self._strata.append(one.stratum)
        keys = bytes.fromhex(one.hash), bytes.fromhex(one.group_key)
        score = one.score or 0.0
        return _RECORD.pack(*keys, one.id, place, one.score is not None, one.right, score, one.size, one.tokens)

    def _unpacked(self, record: bytes) -> Candidate:
        hash, group_key, id, place, scored, right, score, size, tokens = _RECORD.unpack(record)
        stratum = self._strata[place]
        return Candidate(id, hash.hex(), group_key.hex(), stratum, score if scored else None, size, tokens, right)


def distinct_groups(candidates: Iterable[Candidate], folder: Path | None = None) -> int:
    """How many prompt groups candidates are of."""
    keys = Records(SHA256, (bytes.fromhex(one.group_key) for one in candidates), folder=folder)
    return sum(1 for _ in groupby(keys.sorted()))
