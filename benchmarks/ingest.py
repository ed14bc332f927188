"""How near ingest comes to the bare driver and to another tool: ratios of one run, in CPU seconds.

    python benchmarks/ingest.py [--rows 100000] [--memory-rows 1000000]

Each peer does its work in the same run on the same traces (five steps, 1.6 KB). The raw insert has the best of
everything: rows made ready before the clock starts, the same table with the same indexes and pragmas, one transaction.
Memory is the peak of a process of its own; `--memory-rows 0` leaves it out. Absolute rates differ between machines.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson

from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.store.dialects import NewTrace
from tunixrt_core.store.sqlite import SQLite
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.store.writing import flat_row
from tunixrt_core.traces import Trace

WORDS = [f"w{n}" for n in range(5_000)]
API_ROWS = 3_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--memory-rows", type=int, default=1_000_000)
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        ingest_alone(given.alone)
        return
    with tempfile.TemporaryDirectory() as folder:
        speed(Path(folder), given.rows)
    if given.memory_rows:
        with tempfile.TemporaryDirectory() as folder:
            memory(Path(folder), given.memory_rows)


def speed(folder: Path, rows: int) -> None:
    source = folder / "traces.jsonl"
    write_traces(source, rows)
    print(f"{rows:,} traces of {source.stat().st_size / rows:,.0f} bytes\n")
    print(f"{'':48}{'CPU s':>8}{'rows/s':>10}{'of peer':>9}")
    first = inserts(folder, source, rows)
    per_row(folder, API_ROWS)
    print(f"\nan identical file is read {first:.2f} times as fast as the first time")


def inserts(folder: Path, source: Path, rows: int) -> float:
    raw = raw_insert(folder / "raw.db", [flat_row(trace, datetime.now(UTC)) for trace in traces_of(source)])
    report("raw sqlite3: executemany of ready rows", rows, raw, raw)
    report("  read only: parse, check", rows, timed(lambda: sum(1 for _ in traces_of(source))), raw)
    with open_store(f"sqlite:///{folder / 'plain.db'}") as store:
        store._database.dialect = _Unindexed()
        report("ingest without search index", rows, timed(lambda: ingest(store, source)), raw)
    with open_store(f"sqlite:///{folder / 'store.db'}") as store:
        new = timed(lambda: ingest(store, source))
        report("ingest", rows, new, raw)
        again = timed(lambda: ingest(store, source))
        report("ingest again: all duplicates", rows, again, raw)
    if tool := shutil.which("sqlite-utils", path=str(Path(sys.executable).parent)):
        spent = timed_child([tool, "insert", str(folder / "utils.db"), "t", str(source), "--nl"])
        report("sqlite-utils insert --nl", rows, spent, raw)
    else:
        print("sqlite-utils is not installed: left out")
    return new / again


class _Unindexed(SQLite):
    """The store without its search index, to see what that costs."""

    def index(self, connection: object, texts: object) -> None:
        pass


def per_row(folder: Path, rows: int) -> None:
    """One durable transaction a trace, in wall seconds: a caller waits for each."""
    many = [Trace(f"{n} {' '.join(WORDS[:40])}", (), str(n), source="one by one") for n in range(rows)]
    with open_store(f"sqlite:///{folder / 'store.db'}") as store:
        began = time.perf_counter()
        for one in many:
            store.traces.insert([one])
        spent = time.perf_counter() - began
    print(f"{'one durable insert a trace (wall)':48}{spent:8.2f}{rows / spent:10,.0f}")


def memory(folder: Path, rows: int) -> None:
    write_traces(folder / "traces.jsonl", rows)
    print(f"\npeak memory of an ingest of {rows:,} traces")
    subprocess.run([sys.executable, __file__, "--alone", str(folder)], check=True)


def ingest_alone(folder: Path) -> None:
    with open_store(f"sqlite:///{folder / 'store.db'}") as store:
        ingest(store, folder / "traces.jsonl")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8,.0f} MiB")


def write_traces(path: Path, rows: int) -> None:
    """Traces of five steps and about 1.6 KB, the same ones each time."""
    rng = random.Random(0)
    with path.open("wb") as handle:
        for n in range(rows):
            steps = [" ".join(rng.choices(WORDS, k=45)) for _ in range(5)]
            prompt = f"q{n} {' '.join(rng.choices(WORDS, k=40))}"
            row = {"prompt": prompt, "steps": steps, "final_answer": str(n), "source": "b", "reference_answer": str(n)}
            handle.write(orjson.dumps(row) + b"\n")


def traces_of(source: Path) -> Iterator[Trace]:
    return (trace for trace in read_traces(source, name="x") if isinstance(trace, Trace))


def ingest(store: Store, source: Path) -> None:
    store.traces.insert(traces_of(source))


def raw_insert(database: Path, rows: list[NewTrace]) -> float:
    open_store(f"sqlite:///{database}").close()
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -8192")
    names = NewTrace._fields
    statement = f"INSERT INTO traces ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"

    def work() -> None:
        with connection:
            connection.executemany(statement, rows)
        connection.close()

    return timed(work)


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def timed_child(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report(name: str, rows: int, seconds: float, peer: float) -> None:
    print(f"{name:48}{seconds:8.2f}{rows / seconds:10,.0f}{peer / seconds:8.2f}x", flush=True)


if __name__ == "__main__":
    main()
