"""Pairs are compared in their order, here and in blocks, and a lost trace costs its pairs alone."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from tests.datasets.makers import mixed, tools
from tunixrt_core.datasets.gates.check import Spread
from tunixrt_core.datasets.gates.comparing import compared
from tunixrt_core.traces.trace import Trace

ROWS = list(mixed(40))
GONE = "0" * 64


def prompt_length(trace: Trace) -> int:
    return len(trace.prompt)


def difference(a: int, b: int) -> float:
    return a - b


@pytest.mark.parametrize("most", [1, 2_000, 1 << 20])
def test_blocks_give_what_the_traces_give(most: int) -> None:
    hashes = [one.content_hash for one in ROWS]
    pairs = [(a, b, hashes[a], hashes[b]) for a in range(30) for b in range(a, 30)]
    pairs[3:3] = [(0, 99, hashes[0], GONE), (99, 0, GONE, hashes[0])]
    sizes: list[int] = []

    def alone(work: Callable[[bytes], bytes], blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            some, bodies = pickle.loads(block)
            sizes.append(sum(map(len, bodies)))
            assert sizes[-1] <= most or len(some) == 1
            yield pickle.loads(pickle.dumps(work))(block)

    def bodies(wanted: Iterable[str]) -> Iterator[bytes]:
        return (one.canonical for one in tools(ROWS).read(wanted))

    expected = [(a, b, len(ROWS[a].prompt) - len(ROWS[b].prompt)) for a, b, *_ in pairs if 99 not in (a, b)]
    assert list(compared(tools(ROWS), iter(pairs), prompt_length, difference)) == expected
    there = replace(tools(ROWS), spread=Spread(alone, bodies, most))
    assert list(compared(there, iter(pairs), prompt_length, difference)) == expected
    assert len(sizes) >= len(pairs) / 256
