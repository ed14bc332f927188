"""CPU seconds of an ingest, beside the bare driver and another tool.

    python benchmarks/ingest.py [--rows 100000] [--rounds 3] [--memory FILE]

All competitors store the same traces (five steps, 1.6 KB), in turns, each time into a new file and in a process of
its own, like a command: memory that another one has used and released would slow it. Starting is not counted. A time
is the best of the rounds, because a shared machine only ever adds time; a ratio is the median of those within one
round, because such a machine is fast for a while and slow for a while. All but the first `sqlite-utils` fill the same
table with the same nine columns and the same eight indexes, including the unique one on the hash. The timed work:

* `raw sqlite3: ready rows`, the peer of the ratios: `executemany` of rows that were parsed, hashed and made before the
  clock starts, in one transaction, under the store's own pragmas, and the checkpoint at the end. It reads no file.
* `raw sqlite3: from the file`: the same, but the file is parsed with orjson and the rows are made in its time. Of what
  ingest does it leaves out the validation and the search for duplicates.
* `ingest`: parse, validate, hash, look for duplicates, insert, tally; with the search index or without.
* `sqlite-utils, the same job`: its own command with `--ignore`, rows made by a function given to `--convert` with
  the standard library. It does not validate.
* `sqlite-utils insert --nl`: its own command as it comes. No hash, no index, no second look at any row.

`--memory` prints the peak memory of a process that ingests FILE; `--write FILE` writes a file of `--rows` traces.
Absolute rates differ between machines.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.sql.dialects import NewTrace
from tunixrt_core.store.sql.sqlite import SQLite
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.store.traces.writing import flat_row
from tunixrt_core.traces.trace import Trace

RAW = "raw sqlite3: ready rows"
WORDS = [f"w{n}" for n in range(5_000)]
COLUMNS = ", ".join(NewTrace._fields)
PLACES = ", ".join("?" * len(NewTrace._fields))
CONVERT = """
def convert(row):
    row["trace_version"] = "1.0"
    row["meta"] = {}
    row["steps"] = [{"content": text, "i": i, "type": "reason"} for i, text in enumerate(row["steps"])]
    body = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    prompt = " ".join(row["prompt"].lower().split())
    return {
        "hash": hashlib.sha256(body.encode()).hexdigest(),
        "group_key": hashlib.sha256(prompt.encode()).hexdigest(),
        "source": row["source"],
        "model": None,
        "body": body,
        "step_count": len(row["steps"]),
        "size": len(body),
        "correct": int(row["final_answer"] == row["reference_answer"]),
        "created_at": "2026-01-01T00:00:00.000000+00:00",
    }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--alone", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        name, source, folder = given.alone
        print(ALONE[name](Path(folder), Path(source)))
    elif given.write:
        write_traces(given.write, given.rows)
    elif given.memory:
        with tempfile.TemporaryDirectory() as folder:
            print(alone("memory", Path(folder), given.memory))
    else:
        speed(given.rows, given.rounds)


def speed(rows: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "traces.jsonl"
        write_traces(source, rows)
        print(f"{rows:,} traces of {source.stat().st_size / rows:,.0f} bytes, {rounds} rounds\n")
        spent: dict[str, list[float]] = {}
        for number in range(rounds):
            place = Path(folder) / str(number)
            place.mkdir()
            for name, seconds in one_round(place, source):
                spent.setdefault(name, []).append(seconds)
            shutil.rmtree(place)

    def ratio(name: str, to: str) -> float:
        return statistics.median(one / other for one, other in zip(spent[name], spent[to], strict=True))

    print(f"{'':48}{'CPU s':>8}{'rows/s':>10}{'of raw':>9}")
    for name, times in spent.items():
        print(f"{name:48}{min(times):8.2f}{rows / min(times):10,.0f}{ratio(RAW, name):8.2f}x")
    print()
    for name in spent:
        if name.startswith("sqlite-utils"):
            print(f"ingest without search index is {ratio(name, 'ingest without search index'):.2f} x {name}")
    again = ratio("ingest", "ingest again: all duplicates")
    print(f"an identical file is read {again:.2f} times as fast as the first time")


def one_round(folder: Path, source: Path) -> Iterator[tuple[str, float]]:
    for name in TIMED:
        yield name, float(alone(name, folder, source))
    if tool := shutil.which("sqlite-utils", path=str(Path(sys.executable).parent)):
        open_store(f"sqlite:///{folder / 'same.db'}").close()
        same = [str(folder / "same.db"), "traces", str(source), "--nl", "--ignore", "--convert", CONVERT]
        imports = ["--import", "json", "--import", "hashlib"]
        yield "sqlite-utils, the same job", timed_child([tool, "insert", *same, *imports])
        yield "sqlite-utils insert --nl", timed_child([tool, "insert", str(folder / "u.db"), "t", str(source), "--nl"])


def alone(name: str, folder: Path, source: Path) -> str:
    """The result of an entry of ALONE in a new process."""
    command = [sys.executable, __file__, "--alone", name, str(source), str(folder)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class _Unindexed(SQLite):
    """The store without its search index, to measure the cost of the index."""

    def index(self, connection: object, texts: object) -> None:
        pass


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


def ready_rows(source: Path) -> Iterator[NewTrace]:
    now = datetime.now(UTC)
    return (flat_row(trace, now) for trace in traces_of(source))


def plain_rows(source: Path) -> Iterator[tuple[Any, ...]]:
    """The columns of each line as made by a script that trusts the file."""
    with source.open("rb") as handle:
        for line in handle:
            row = orjson.loads(line)
            row["steps"] = [{"content": text, "i": i, "type": "reason"} for i, text in enumerate(row["steps"])]
            body = orjson.dumps(row | {"trace_version": "1.0", "meta": {}}, option=orjson.OPT_SORT_KEYS)
            prompt = " ".join(row["prompt"].lower().split())
            yield (
                hashlib.sha256(body).hexdigest(),
                hashlib.sha256(prompt.encode()).hexdigest(),
                row["source"],
                None,
                body.decode(),
                len(row["steps"]),
                len(body),
                int(row["final_answer"] == row["reference_answer"]),
                "2026-01-01T00:00:00.000000+00:00",
            )


def raw_insert(database: Path, rows: Iterable[tuple[Any, ...]]) -> float:
    with open_store(f"sqlite:///{database}") as store, store._database.write() as connection:
        kept = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "cache_size")]
    driver = sqlite3.connect(database)
    driver.execute(f"PRAGMA synchronous = {kept[0]}")
    driver.execute(f"PRAGMA cache_size = {kept[1]}")

    def work() -> None:
        with driver:
            driver.executemany(f"INSERT INTO traces ({COLUMNS}) VALUES ({PLACES})", rows)
        driver.close()

    return timed(work)


def plain_ingest(folder: Path, source: Path) -> float:
    with open_store(f"sqlite:///{folder / 'plain.db'}") as store:
        store._database.dialect = _Unindexed()
        return timed(lambda: ingest(store, source))


def whole_ingest(folder: Path, source: Path) -> float:
    with open_store(f"sqlite:///{folder / 'store.db'}") as store:
        return timed(lambda: ingest(store, source))


def memory_of_ingest(folder: Path, source: Path) -> str:
    with open_store(f"sqlite:///{folder / 'store.db'}") as store:
        before = peak_memory()
        ingest(store, source)
        rows = store.traces.count(TraceQuery())
    return f"peak memory of an ingest of {int(rows):,} traces: {peak_memory():.0f} MiB, {before:.0f} before it"


def peak_memory() -> float:
    """MiB of this process alone. getrusage would include the parent's memory at the fork."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def timed_child(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


TIMED: Mapping[str, Callable[[Path, Path], float]] = {
    RAW: lambda folder, source: raw_insert(folder / "raw.db", list(ready_rows(source))),
    "raw sqlite3: from the file": lambda folder, source: raw_insert(folder / "file.db", plain_rows(source)),
    "reading alone: parse, check, canonical form": lambda _, source: timed(lambda: sum(1 for _ in traces_of(source))),
    "ingest without search index": plain_ingest,
    "ingest": whole_ingest,
    "ingest again: all duplicates": whole_ingest,
}
ALONE: Mapping[str, Callable[[Path, Path], object]] = {**TIMED, "memory": memory_of_ingest}

if __name__ == "__main__":
    main()
