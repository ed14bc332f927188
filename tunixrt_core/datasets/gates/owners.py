"""Whose an n-gram is, for more n-grams than the memory takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.util.files.records import Records

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GRAM, _OWNER = 8, 4  # bytes
_EVERY = 512  # records from one of the index to the next
_BITS_EACH = 16  # of the filter, for an n-gram
_MOST_BITS = 30  # the filter's address is at most 30 bits long: 128 MiB
_MIX = 0x9E3779B97F4A7C15


class GramOwners:
    """First all n-grams are added, then they are looked up: 12 bytes each, on the disk where they are many.

    A filter in memory (Bloom 1970, two addresses) answers for nearly all that no text has; the others are looked up in
    the sorted records, by an index of every 512th.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._given = Records(_GRAM + _OWNER, folder=folder)
        self._sorted: Records | None = None
        self._filter: NDArray[Any]
        self._index: NDArray[Any]
        self._shift = 0

    def add(self, gram: int, owner: int) -> None:
        """`gram` is a number of 64 bits. Raises RuntimeError once one was looked up."""
        if self._sorted is not None:
            raise RuntimeError("An n-gram was looked up already.")
        self._given.append(gram.to_bytes(_GRAM, "big") + owner.to_bytes(_OWNER, "big"))

    def owners(self, grams: Sequence[int]) -> dict[int, int]:
        """The lowest owner of each n-gram that has one, by its place."""
        import numpy as np

        if self._sorted is None:
            self._sorted = self._look_ready()
        places = np.flatnonzero(self._maybe(np.array(grams, dtype=np.uint64))).tolist()
        found = ((place, self._owner(grams[place])) for place in places)
        return {place: owner for place, owner in found if owner >= 0}

    def _look_ready(self) -> Records:
        import numpy as np

        ordered = Records(_GRAM + _OWNER, self._firsts(), folder=self._given.folder)
        self._given = Records(_GRAM + _OWNER)
        bits = min(max((len(ordered) * _BITS_EACH).bit_length(), 10), _MOST_BITS)
        self._shift = 64 - bits
        self._filter = np.zeros(1 << (bits - 3), dtype=np.uint8)
        index = []
        for start in range(0, len(ordered), _EVERY):
            grams, _ = _columns(ordered.read(start, _EVERY))
            index.append(grams[0])
            for address in self._addresses(grams):
                np.bitwise_or.at(self._filter, address >> 3, (1 << (address & 7)).astype(np.uint8))
        self._index = np.array(index, dtype=np.uint64)
        return ordered

    def _firsts(self) -> Iterator[bytes]:
        """Each n-gram once, with its lowest owner."""
        return (next(same) for _, same in groupby(self._given.sorted(), key=lambda record: record[:_GRAM]))

    def _addresses(self, grams: NDArray[Any]) -> Iterator[NDArray[Any]]:
        for mixed in (grams, (grams * _MIX) ^ (grams >> 32)):
            yield mixed >> self._shift

    def _maybe(self, grams: NDArray[Any]) -> NDArray[Any]:
        first, second = (self._filter[address >> 3] >> (address & 7) for address in self._addresses(grams))
        return first & second & 1

    def _owner(self, gram: int) -> int:
        assert self._sorted is not None
        import numpy as np

        block = int(np.searchsorted(self._index, np.uint64(gram), side="right")) - 1
        if block < 0:
            return -1
        grams, owners = _columns(self._sorted.read(block * _EVERY, _EVERY))
        place = int(np.searchsorted(grams, np.uint64(gram)))
        return int(owners[place]) if place < len(grams) and grams[place] == gram else -1


def _columns(records: bytes) -> tuple[NDArray[Any], NDArray[Any]]:
    """The n-grams and the owners of packed records."""
    import numpy as np

    rows = np.frombuffer(records, dtype=[("gram", ">u8"), ("owner", ">u4")])
    return rows["gram"].astype(np.uint64), rows["owner"]
