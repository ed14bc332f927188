"""Pairs of traces compared by their text, by this process or in blocks by others."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tunixrt_core.datasets.gates.check import Look, Spread, Tools
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.hashing import sha256_hex

_PAIRS = 256  # compared at once: at most twice as many texts are held

Pair = tuple[int, int, str, str]  # the numbers of two traces, and their hashes
Compared = tuple[int, int, float]


@dataclass(frozen=True, slots=True)
class CompareBlock:
    """The work at one block, for any process of any machine that has the same version."""

    look: Look
    likeness: Callable[[Any, Any], float]

    def __call__(self, block: bytes) -> bytes:
        pairs, bodies = pickle.loads(block)
        return pickle.dumps(self.of(pairs, map(Trace.from_canonical, bodies)))

    def of(self, pairs: Sequence[Pair], traces: Iterable[Trace]) -> list[Compared]:
        """The likeness of each pair whose traces are both there; each trace is looked at once."""
        seen = {trace.content_hash: self.look(trace) for trace in traces}
        return [(a, b, self.likeness(seen[x], seen[y])) for a, b, x, y in pairs if x in seen and y in seen]


def compared(
    tools: Tools, pairs: Iterable[Pair], look: Look, likeness: Callable[[Any, Any], float]
) -> Iterator[Compared]:
    """Each pair in its order with the likeness of its traces, as the look sees them; pairs of a lost trace left out."""
    compare = CompareBlock(look, likeness)
    if tools.spread is None:
        for some in _chunks(pairs):
            yield from compare.of(some, tools.read(_hashes(some)))
        return
    for found in tools.spread.map_blocks(compare, _blocks(pairs, tools.spread)):
        yield from pickle.loads(found)


def _chunks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    rest = iter(pairs)
    return iter(lambda: list(islice(rest, _PAIRS)), [])


def _hashes(pairs: Iterable[Pair]) -> list[str]:
    """Each once."""
    return list(dict.fromkeys(hash for pair in pairs for hash in pair[2:]))


def _blocks(pairs: Iterable[Pair], spread: Spread) -> Iterator[bytes]:
    for some in _chunks(pairs):
        yield from _packed(some, {sha256_hex(body): body for body in spread.bodies(_hashes(some))}, spread.block)


def _packed(pairs: list[Pair], bodies: Mapping[str, bytes], most: int) -> Iterator[bytes]:
    """The pairs with their traces, in halves of halves where these have more bytes than `most`."""
    needed = [bodies[hash] for hash in _hashes(pairs) if hash in bodies]
    if len(pairs) > 1 and sum(map(len, needed)) > most:
        middle = len(pairs) // 2
        yield from _packed(pairs[:middle], bodies, most)
        yield from _packed(pairs[middle:], bodies, most)
    else:
        yield pickle.dumps((pairs, needed))
