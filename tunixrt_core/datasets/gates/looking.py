"""Looks at many traces, by this process or in blocks by others."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tunixrt_core.datasets.gates.check import Look, Spread, Tools
from tunixrt_core.traces.trace import Trace

Seen = tuple[str, list[Any]]  # the hash of a trace, and what each look gave


@dataclass(frozen=True, slots=True)
class LookAtBlock:
    """The work at one block, for any process of any machine that has the same version."""

    looks: tuple[Look, ...]

    def __call__(self, block: bytes) -> bytes:
        traces = map(Trace.from_canonical, pickle.loads(block))
        return pickle.dumps([(trace.content_hash, [look(trace) for look in self.looks]) for trace in traces])


def look_at(tools: Tools, hashes: Iterable[str], looks: Sequence[Look]) -> Iterator[Seen]:
    """Each trace of these hashes in their order, those that are gone left out."""
    if tools.spread is None:
        for trace in tools.read(hashes):
            yield trace.content_hash, [look(trace) for look in looks]
        return
    for seen in tools.spread.map_blocks(LookAtBlock(tuple(looks)), _blocks(hashes, tools.spread)):
        yield from pickle.loads(seen)


def _blocks(hashes: Iterable[str], spread: Spread) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for body in spread.bodies(hashes):
        if held and size + len(body) > spread.block:
            yield pickle.dumps(held)
            held, size = [], 0
        held.append(body)
        size += len(body)
    if held:
        yield pickle.dumps(held)
