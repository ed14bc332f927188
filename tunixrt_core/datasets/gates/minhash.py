"""Near-duplicates by MinHash and banding (Broder 1997; MMDS, 3.4).

A text becomes the set of its word n-grams; 128 minima of it, cut into 16 bands of 8, are kept as 16 numbers of 64 bits.
Two texts that share a band are candidates, and only a candidate whose true Jaccard similarity reaches the threshold
counts. A pair at the threshold of 0.85 shares a band in 99 of 100 cases, one at 0.7 in 61.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tunixrt_core.datasets.gates.texts import shingles

PERMUTATIONS, BANDS = 128, 16
_WIDTH = PERMUTATIONS // BANDS
_SEED = 1


def jaccard(a: set[str], b: set[str]) -> float:
    """Shared by all, from 0 to 1."""
    return len(a & b) / len(a | b) if a or b else 1.0


class Sketches:
    """The bands of many texts, 128 bytes each. A text is known by its number, in the order of addition."""

    def __init__(self, size: int) -> None:
        # compiled; only who looks for duplicates needs it
        from rensa import RMinHash  # type: ignore[import-untyped]

        self._new: Callable[[], Any] = partial(RMinHash, num_perm=PERMUTATIONS, seed=_SEED)
        self._size = size
        self._bands = array("Q")

    def add(self, text: str) -> None:
        sketch = self._new()
        sketch.update(list(shingles(text, self._size)))
        digest = array("I", sketch.digest()).tobytes()
        step = 4 * _WIDTH
        for start in range(0, len(digest), step):
            band = hashlib.blake2b(digest[start : start + step], digest_size=8).digest()
            self._bands.append(int.from_bytes(band, "little"))

    def candidates(self, order: list[int]) -> Iterator[tuple[int, int]]:
        """Pairs worth a look, each once, among the numbers in `order`.

        In a band each text is paired with the first one that has the same value and with the one before it, so that
        a thousand alike cost two thousand pairs and not half a million.
        """
        told: set[tuple[int, int]] = set()
        for band in range(BANDS):
            first: dict[int, int] = {}
            last: dict[int, int] = {}
            for number in order:
                value = self._bands[number * BANDS + band]
                for other in {first.setdefault(value, number), last.get(value, number)}:
                    if other != number and (other, number) not in told:
                        told.add((other, number))
                        yield other, number
                last[value] = number


class Clusters:
    """Union-find over numbers; the root of a cluster is the one that comes first in `order`."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def join(self, a: int, b: int, rank: list[int]) -> None:
        a, b = self.root(a), self.root(b)
        if a != b:
            low, high = (a, b) if rank[a] < rank[b] else (b, a)
            self._parent[high] = low
