"""Near-duplicates by MinHash and banding (Broder 1997; MMDS, 3.4).

A text becomes the set of its word n-grams; 128 minima of it, cut into 16 bands of 8, are kept as 16 numbers of 64 bits.
Two texts that share a band are candidates, and only a candidate whose true Jaccard similarity reaches the threshold
counts. A pair at the threshold of 0.85 shares a band in 99 of 100 cases, one at 0.7 in 61.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from tunixrt_core.datasets.gates.texts import shingles
from tunixrt_core.util.files.records import HELD, Records

PERMUTATIONS, BANDS = 128, 16
_WIDTH = PERMUTATIONS // BANDS
_VALUE, _NUMBER = 8, 4  # bytes
_AT_ONCE = 1 << 18  # texts of a band that are compared at once
_NEW = 1 << 10  # texts whose bands are taken apart at once
_SEED = 1


def jaccard(a: set[str], b: set[str]) -> float:
    """Shared by all, from 0 to 1."""
    return len(a & b) / len(a | b) if a or b else 1.0


def bands_of(text: str, size: int) -> bytes:
    """The bands of a text, 8 bytes each, of its n-grams of `size` words."""
    # compiled; only who looks for duplicates needs it
    from rensa import RMinHash  # type: ignore[import-untyped]

    sketch = RMinHash(num_perm=PERMUTATIONS, seed=_SEED)
    sketch.update(list(shingles(text, size)))
    digest = array("I", sketch.digest()).tobytes()
    parts = (digest[start : start + 4 * _WIDTH] for start in range(0, len(digest), 4 * _WIDTH))
    return b"".join(hashlib.blake2b(part, digest_size=_VALUE).digest() for part in parts)


class Sketches:
    """The bands of many texts, 128 bytes each, on the disk where they are many. A text is known by its number, in the
    order of addition.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._bands = [Records(_VALUE, folder=folder, held=HELD // BANDS) for _ in range(BANDS)]
        self._new = bytearray()  # of the last texts, one after the other

    def add(self, bands: bytes) -> None:
        """The bands of one text, as of `bands_of`."""
        self._new += bands
        if len(self._new) >= _NEW * BANDS * _VALUE:
            self._part()

    def _part(self) -> None:
        """Give each band what it has of the last texts."""
        import numpy as np

        columns = np.frombuffer(bytes(self._new), dtype=np.uint64).reshape(-1, BANDS)
        for number, band in enumerate(self._bands):
            band.append(columns[:, number].tobytes())
        self._new.clear()

    def candidates(self, rank: array[int]) -> Iterator[tuple[int, int]]:
        """Pairs worth a look, each once and in order. `rank` is the place of each text, -1 where it is left out.

        In a band each text is paired with the first one that has the same value and with the one before it, so that
        a thousand alike cost two thousand pairs and not half a million.
        """
        self._part()
        pairs = Records(2 * _NUMBER, folder=self._folder)
        for band in self._bands:
            for some in _paired(band, rank):
                pairs.append(some)
        for pair, _ in groupby(pairs.sorted()):
            yield int.from_bytes(pair[:_NUMBER], "big"), int.from_bytes(pair[_NUMBER:], "big")


def _paired(band: Records, rank: array[int]) -> Iterator[bytes]:
    """The pairs of one band, packed. Texts are compared by the remainders of their values, some at a time."""
    import numpy as np

    parts = 1 + len(band) // _AT_ONCE
    ranks = np.frombuffer(rank, dtype=np.int32)
    for part in range(parts):
        found = []
        for start in range(0, len(band), _AT_ONCE):
            values = np.frombuffer(band.read(start, _AT_ONCE), dtype="<u8")
            kept = np.flatnonzero((values % parts == part) & (ranks[start : start + len(values)] >= 0))
            found.append((values[kept], kept + start))
        value, number = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((ranks[number], value))
        value, number = value[order], number[order]
        again = np.flatnonzero(value[1:] == value[:-1]) + 1  # has the value of the one before it
        starts = np.flatnonzero(np.concatenate(([True], value[1:] != value[:-1]))) if len(value) else again
        first = starts[np.searchsorted(starts, again, side="right") - 1]
        for other in (first, again - 1):
            yield np.stack((number[other], number[again]), axis=1).astype(">u4").tobytes()


class Clusters:
    """Union-find over numbers; the root of a cluster is the one of the lowest rank."""

    def __init__(self, rank: array[int]) -> None:
        self._rank = rank
        self._parent = array("i", range(len(rank)))

    def root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def join(self, a: int, b: int) -> None:
        a, b = self.root(a), self.root(b)
        if a != b:
            low, high = (a, b) if self._rank[a] < self._rank[b] else (b, a)
            self._parent[high] = low
