"""The pool gives every candidate back as it came, and holds little of it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tunixrt_core.datasets.pool import Candidate, Pool
from tunixrt_core.datasets.selection import choose, split_rows
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.util.files import records


def candidates(n: int) -> Iterator[Candidate]:
    """Newest first, three traces per prompt."""
    for i in range(n, 0, -1):
        yield Candidate(i, sha256(f"trace {i}".encode()).hexdigest(), sha256(f"prompt {i // 3}".encode()).hexdigest())


def test_candidates_come_back_as_they_came() -> None:
    wanted = list(candidates(50))
    pool = Pool(wanted)
    assert list(pool) == wanted
    assert list(pool.hashes()) == [candidate.hash for candidate in wanted]
    assert (len(pool), pool[0], pool[-1], list(pool[3:9:2])) == (50, wanted[0], wanted[-1], wanted[3:9:2])
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


def test_what_is_too_much_for_the_memory_is_the_same_and_takes_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = DatasetSpec("d", dedupe="prompt", eval_share=0.3)
    wanted = list(split_rows(spec, choose(spec, list(candidates(4_000)))))
    monkeypatch.setattr(records, "HELD", 16 << 10)
    tracemalloc.start()
    try:
        rows = split_rows(spec, choose(spec, Pool(candidates(4_000), tmp_path)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows == wanted
    assert peak < 700_000
