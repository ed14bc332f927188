"""Traces per second of durable calls with one trace each.

    python benchmarks/single_inserts.py [--rows 3000]

The call is `Pipeline.traces.add`, which `POST /api/traces` makes too; the trace is on the disk when it returns. One
caller waits for the disk once per trace; several waiting callers share the next transaction. The peer is the driver
alone: one row into the same table, with the same pragmas, one commit per row, by one caller, which is the limit of the
disk without sharing. Wall time, in turns, the best of three rounds.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.store.sql.dialects import NewTrace
from tunixrt_core.store.store import open_store
from tunixrt_core.store.traces.writing import flat_row
from tunixrt_core.traces.trace import Step, Trace

CALLERS = (1, 8, 16, 64)
ROUNDS = 3
WORDS = [f"w{n}" for n in range(5_000)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3_000, help="traces per competitor and round")
    rows: int = parser.parse_args().rows
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        pipeline = open_pipeline(Settings.from_env({"TUNIXRT_HOME": folder}))
        try:
            for number in range(ROUNDS):
                for name, work in competitors(pipeline, Path(folder) / f"raw{number}.db").items():
                    spent = work([trace(f"{name} {number} {n}") for n in range(rows)])
                    best[name] = max(best.get(name, 0), rows / spent)
        finally:
            pipeline.close()
    raw = best["raw sqlite3, one commit per row"]
    print(f"{'':36}{'traces/s':>10}{'of raw':>9}")
    for name, rate in best.items():
        print(f"{name:36}{rate:10,.0f}{rate / raw:8.2f}x")


Work = Callable[[list[Trace]], float]


def competitors(pipeline: Pipeline, database: Path) -> dict[str, Work]:
    work: dict[str, Work] = {"raw sqlite3, one commit per row": lambda many: raw(database, many)}
    for callers in CALLERS:
        name = f"add_trace, {callers} caller{'s' if callers > 1 else ''}"
        work[name] = lambda many, callers=callers: calls(pipeline, many, callers)  # type: ignore[misc]
    return work


def trace(name: str) -> Trace:
    """Five steps, 1.6 KB."""
    start = hash(name) % 4_000
    steps = tuple(Step(i, " ".join(WORDS[start + 45 * i : start + 45 * (i + 1)])) for i in range(5))
    return Trace(f"{name} {' '.join(WORDS[start : start + 40])}", steps, "1", source="one by one")


def calls(pipeline: Pipeline, many: list[Trace], callers: int) -> float:
    with ThreadPoolExecutor(callers) as pool:
        began = time.perf_counter()
        new = sum(pool.map(pipeline.traces.add, many))
        spent = time.perf_counter() - began
    assert new == len(many), "each was new"
    return spent


def raw(database: Path, many: list[Trace]) -> float:
    open_store(f"sqlite:///{database}").close()
    rows = [flat_row(one, datetime.now(UTC)) for one in many]
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    names = NewTrace._fields
    statement = f"INSERT INTO traces ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    began = time.perf_counter()
    for row in rows:
        connection.execute(statement, row)
    spent = time.perf_counter() - began
    connection.close()
    return spent


if __name__ == "__main__":
    main()
