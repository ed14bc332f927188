"""Looks in blocks by other processes give the same version and the same findings as looks in this one."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from tests.datasets.makers import candidates, mixed, tools
from tunixrt_core.datasets.building import Built, build
from tunixrt_core.datasets.gates import findings, minhash
from tunixrt_core.datasets.gates.check import Asking, EvalSet, Spread
from tunixrt_core.datasets.gates.looking import look_at
from tunixrt_core.datasets.gates.registry import GATES
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.files import records

ROWS = list(mixed(800))
WARN = dict.fromkeys(GATES, "warn")
SPECS: dict[str, dict[str, Any]] = {
    "warn": {"gates": WARN},
    "exclude": {
        "gates": {**WARN, "near_duplicate": "exclude", "exact_duplicate": "exclude", "contamination": "exclude"},
        "split_by": "near_duplicate",
        "eval_share": 0.3,
    },
    "file": {"gates": {"contamination": {"action": "exclude", "against": "file", "ngram": 8}}},
    "best": {"selection": "best", "by": "taste", "gates": {"tags": "exclude"}},
    "budget": {"selection": "budget", "by": "taste", "budget": 20_000, "tokens": "words"},
    "stratified": {"selection": "stratified", "by": "meta.kind", "limit": 90},
}


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with pytest.MonkeyPatch.context() as patch, ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        # a new process runs the file of the main module, which is a page's script where AppTest has shown one before
        patch.setitem(sys.modules, "__main__", ModuleType("__main__"))
        yield pool


def in_processes(pool: ProcessPoolExecutor, work: Callable[[bytes], bytes], blocks: Iterable[bytes]) -> Iterator[bytes]:
    return pool.map(work, blocks)


def bodies(hashes: Iterable[str]) -> Iterator[bytes]:
    return (trace.canonical for trace in tools(ROWS).read(hashes))


def made(name: str, spread: Spread | None) -> Built:
    eval_set = EvalSet("test.jsonl", "0" * 64, lambda: iter([Asking(ROWS[3].prompt), None, Asking(ROWS[8].prompt)]))
    given = replace(tools(ROWS, eval_set), spread=spread)
    return build(DatasetSpec("d", **SPECS[name]), candidates(ROWS), given)


@pytest.mark.parametrize("name", SPECS)
def test_a_build_whose_looks_other_processes_do_is_the_same(
    name: str, processes: ProcessPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = made(name, None)
    monkeypatch.setattr(records, "HELD", 4_096)
    monkeypatch.setattr(findings, "_HELD", 3)
    monkeypatch.setattr(minhash, "_AT_ONCE", 100)
    assert made(name, Spread(partial(in_processes, processes), bodies, 20_000)) == here
    assert len(here.rows) > 50
    gates = set(here.findings) & {"near_duplicate", "exact_duplicate", "contamination", "tags", "answer"}
    assert all(here.findings[gate] for gate in gates)


def test_blocks_hold_a_megabyte_or_one_long_trace() -> None:
    sizes: list[int] = []

    def alone(work: Callable[[bytes], bytes], blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            sizes.append(len(pickle.loads(block)))
            yield work(block)

    most = max(len(one.canonical) for one in ROWS[:9]) - 1
    given = replace(tools(ROWS), spread=Spread(alone, bodies, most))
    hashes = [one.content_hash for one in ROWS[:9]]
    seen = list(look_at(given, [*hashes, "0" * 64], [_prompt]))
    assert seen == [(one.content_hash, [one.prompt]) for one in ROWS[:9]]
    assert len(sizes) > 1
    assert sum(sizes) == 9
    assert min(sizes) == 1


def _prompt(trace: Trace) -> str:
    return trace.prompt
