"""Whose an n-gram is, for more n-grams than the memory takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class GramFilter:
    """Which n-grams no text has, in at most 128 MB (Bloom 1970, two addresses of `64 - shift` bits)."""

    bits: NDArray[Any]
    shift: int

    def places(self, grams: Sequence[int]) -> list[int]:
        """Where an n-gram is one that a text may have: all those that a text has, and some more."""
        import numpy as np

        asked = np.array(grams, dtype=np.uint64)
        first, second = (self.bits[address >> 3] >> (address & 7) for address in self.addresses(asked))
        found: list[int] = np.flatnonzero(first & second & 1).tolist()
        return found

    def addresses(self, grams: NDArray[Any]) -> Iterator[NDArray[Any]]:
        for mixed in (grams, (grams * _MIX) ^ (grams >> 32)):
            yield mixed >> self.shift


class GramOwners:
    """First all n-grams are added, then they are looked up: 12 bytes each, on the disk where they are many.

    A filter in memory answers for nearly all that no text has; the others are looked up in the sorted records, by an
    index of every 512th.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._given = Records(_GRAM + _OWNER, folder=folder)
        self._sorted: Records | None = None
        self._index: NDArray[Any]

    def add(self, gram: int, owner: int) -> None:
        """`gram` is a number of 64 bits. Raises RuntimeError after `filter`."""
        if self._sorted is not None:
            raise RuntimeError("The filter is made already.")
        self._given.append(gram.to_bytes(_GRAM, "big") + owner.to_bytes(_OWNER, "big"))

    def filter(self) -> GramFilter:
        """What answers for most n-grams. After it, none can be added."""
        import numpy as np

        ordered = self._sorted = Records(_GRAM + _OWNER, self._firsts(), folder=self._given.folder)
        self._given = Records(_GRAM + _OWNER)
        bits = min(max((len(ordered) * _BITS_EACH).bit_length(), 10), _MOST_BITS)
        made = GramFilter(np.zeros(1 << (bits - 3), dtype=np.uint8), 64 - bits)
        index = []
        for start in range(0, len(ordered), _EVERY):
            grams, _ = _columns(ordered.read(start, _EVERY))
            index.append(grams[0])
            for address in made.addresses(grams):
                np.bitwise_or.at(made.bits, address >> 3, (1 << (address & 7)).astype(np.uint8))
        self._index = np.array(index, dtype=np.uint64)
        return made

    def owners(self, grams: Mapping[int, int]) -> dict[int, int]:
        """The lowest owner of each n-gram that has one, by its place. Raises RuntimeError before `filter`."""
        found = ((place, self._owner(gram)) for place, gram in grams.items())
        return {place: owner for place, owner in found if owner >= 0}

    def _firsts(self) -> Iterator[bytes]:
        """Each n-gram once, with its lowest owner."""
        return (next(same) for _, same in groupby(self._given.sorted(), key=lambda record: record[:_GRAM]))

    def _owner(self, gram: int) -> int:
        import numpy as np

        if self._sorted is None:
            raise RuntimeError("The filter is not made yet.")

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
