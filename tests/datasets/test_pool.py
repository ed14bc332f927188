"""The pool gives every candidate back as it came, and holds little of it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from hashlib import sha256

from tunixrt_core.datasets.pool import Pool
from tunixrt_core.datasets.selection import Candidate, choose, split_rows
from tunixrt_core.datasets.spec import DatasetSpec


def candidates(n: int) -> Iterator[Candidate]:
    """Newest first, three traces per prompt."""
    for i in range(n, 0, -1):
        yield Candidate(i, sha256(f"trace {i}".encode()).hexdigest(), sha256(f"prompt {i // 3}".encode()).hexdigest())


def test_candidates_come_back_as_they_came() -> None:
    wanted = list(candidates(50))
    pool = Pool(wanted)
    assert list(pool) == wanted
    assert list(pool.hashes()) == [candidate.hash for candidate in wanted]
    assert (len(pool), pool[0], pool[-1], pool[3:9:2]) == (50, wanted[0], wanted[-1], wanted[3:9:2])
    assert not Pool()


def test_a_selection_of_a_pool_is_that_of_a_list() -> None:
    wanted = list(candidates(200))
    for spec in (
        DatasetSpec("d"),
        DatasetSpec("d", selection="latest", limit=7),
        DatasetSpec("d", selection="random", limit=70, seed=3),
        DatasetSpec("d", dedupe="prompt"),
    ):
        assert split_rows(spec, choose(spec, Pool(wanted))) == split_rows(spec, choose(spec, wanted))


def test_a_candidate_takes_less_than_a_hundred_bytes() -> None:
    tracemalloc.start()
    try:
        pool = Pool(candidates(20_000))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / len(pool) < 100
