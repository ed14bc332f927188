"""Candidates in little memory: hashes as packed bytes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from tunixrt_core.datasets.selection import Candidate

_SIZE = 32  # bytes of a sha256


class Pool(Sequence[Candidate]):
    """Candidates as they come from the store, without facts. Each access makes a new object."""

    def __init__(self, candidates: Iterable[Candidate] = ()) -> None:
        self._ids = array("q")
        self._hashes = bytearray()
        self._groups = bytearray()
        for candidate in candidates:
            self._ids.append(candidate.id)
            self._hashes += bytes.fromhex(candidate.hash)
            self._groups += bytes.fromhex(candidate.group_key)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Candidate]:
        return map(self._one, range(len(self)))

    @overload
    def __getitem__(self, at: int) -> Candidate: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Candidate]: ...
    def __getitem__(self, at: int | slice) -> Candidate | Sequence[Candidate]:
        places = range(len(self))[at]
        return self._one(places) if isinstance(places, int) else [self._one(i) for i in places]

    def hashes(self) -> Iterator[str]:
        """In their order."""
        return (self._hashes[i : i + _SIZE].hex() for i in range(0, len(self._hashes), _SIZE))

    def _one(self, place: int) -> Candidate:
        at = slice(place * _SIZE, (place + 1) * _SIZE)
        return Candidate(self._ids[place], self._hashes[at].hex(), self._groups[at].hex())
