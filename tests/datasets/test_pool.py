"""The pool gives every candidate back as it came, and holds little of it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tunixrt_core.datasets.pool import Candidate, Pool
from tunixrt_core.datasets.selection import choose, split_rows
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.util.files import records


def candidates(n: int) -> Iterator[Candidate]:
    """Newest first, three traces per prompt, with all facts."""
    for i in range(n, 0, -1):
        hash, group_key = (sha256(f"{what}".encode()).hexdigest() for what in (f"trace {i}", f"prompt {i // 3}"))
        score = None if i % 5 == 0 else (i * 7919 % 100 - 50) / 4
        yield Candidate(i, hash, group_key, "abcde"[i % 5], score, i * 31 % 97, i * 17 % 13, i % 7 > 1)


EVERY = (
    {},
    {"dedupe": "prompt"},
    {"selection": "latest", "limit": 70, "dedupe": "prompt"},
    {"selection": "random", "limit": 70, "seed": 3},
    {"selection": "stratified", "by": "source", "limit": 70},
    {"selection": "top", "by": "quality", "limit": 70, "dedupe": "prompt"},
    {"selection": "best", "by": "quality"},
    {"selection": "shortest", "limit": 30},
    {"selection": "budget", "budget": 900},
    {"selection": "budget", "budget": 900, "by": "quality"},
)


def test_candidates_come_back_as_they_came() -> None:
    wanted = list(candidates(50))
    pool = Pool(wanted)
    assert list(pool) == wanted
    assert list(pool.hashes()) == [candidate.hash for candidate in wanted]
    assert (len(pool), pool[0], pool[-1], list(pool[3:9:2])) == (50, wanted[0], wanted[-1], wanted[3:9:2])
    assert not Pool()


@pytest.mark.parametrize("given", EVERY, ids=str)
def test_what_is_too_much_for_the_memory_is_the_same_and_takes_little(
    given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = DatasetSpec.from_dict({"name": "d", "eval_share": 0.3, **given})
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
