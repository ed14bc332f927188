"""How near ingest, search and export come to the bare driver: ratios of one run, in CPU seconds of this process.

    python benchmarks/ingest_export.py [--rows 20000]

Absolute rates differ between machines; the ratios hold. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from tunixrt_core.export import export_tunix_sft_jsonl, write_export
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.traces import Trace

WORDS = [f"w{n}" for n in range(5_000)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    rows: int = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), rows)


def measure(folder: Path, rows: int) -> None:
    source = folder / "traces.jsonl"
    write_traces(source, rows)
    print(f"{rows:,} traces of {source.stat().st_size / rows:,.0f} bytes\n")
    print(f"{'':44}{'CPU s':>8}{'rows/s':>10}{'of raw':>9}")

    raw_in = timed(lambda: raw_insert(source, folder / "raw.db"))
    report("raw sqlite3: hash, executemany", rows, raw_in, raw_in)
    report("read only: parse, check, hash", rows, timed(lambda: sum(1 for _ in read_traces(source, name="x"))), raw_in)
    with open_store(f"sqlite:///{folder / 'plain.db'}") as store:
        store._database.dialect.index_after = lambda connection, trace_id: None  # type: ignore[method-assign]
        report("ingest without search index", rows, timed(lambda: ingest(store, source)), raw_in)
    with open_store(f"sqlite:///{folder / 'store.db'}") as store:
        report("ingest", rows, timed(lambda: ingest(store, source)), raw_in)
        report("ingest again: all duplicates", rows, timed(lambda: ingest(store, source)), raw_in)
        raw_out = timed(lambda: raw_export(folder / "raw.db", folder / "raw.jsonl"))
        report("raw cursor + orjson + sha256", rows, raw_out, raw_out)
        report("export tunix_sft", rows, timed(lambda: export(store, folder / "out.jsonl")), raw_out)
        for text in ("w17 w2300", "w4999"):
            spent = timed(lambda text=text: store.traces.page(TraceQuery(text=text)))  # type: ignore[misc]
            print(f"search {text!r:37}{spent * 1e3:8.1f} ms")
    opened = time.perf_counter()
    open_store(f"sqlite:///{folder / 'store.db'}").close()
    print(f"{'open a store that is there':44}{(time.perf_counter() - opened) * 1e3:8.1f} ms (wall)")


def write_traces(path: Path, rows: int) -> None:
    """Traces of five steps and about 1.6 KB, the same ones each time."""
    rng = random.Random(0)
    with path.open("wb") as handle:
        for n in range(rows):
            steps = [" ".join(rng.choices(WORDS, k=45)) for _ in range(5)]
            prompt = f"q{n} {' '.join(rng.choices(WORDS, k=40))}"
            handle.write(
                orjson.dumps({"prompt": prompt, "steps": steps, "final_answer": str(n), "source": "b"}) + b"\n"
            )


def ingest(store: Store, source: Path) -> None:
    store.traces.insert(trace for trace in read_traces(source, name="x") if isinstance(trace, Trace))


def export(store: Store, path: Path) -> None:
    hashes = [candidate.hash for candidate in store.traces.select(TraceQuery())]
    write_export(export_tunix_sft_jsonl(store.traces.by_hashes(hashes)), path)


def raw_insert(source: Path, database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, hash TEXT UNIQUE, source TEXT, body TEXT)")
    with source.open("rb") as handle, connection:
        made = ((hashlib.sha256(line).hexdigest(), orjson.loads(line)["source"], line.decode()) for line in handle)
        connection.executemany("INSERT INTO t (hash, source, body) VALUES (?, ?, ?)", made)
    connection.close()


def raw_export(database: Path, path: Path) -> None:
    connection = sqlite3.connect(database)
    digest = hashlib.sha256()
    with path.open("wb") as handle:
        for (body,) in connection.execute("SELECT body FROM t ORDER BY id"):
            row = orjson.loads(body)
            line = orjson.dumps(
                {"prompt": row["prompt"], "trace_steps": row["steps"], "final_answer": "", "metadata": {}}
            )
            digest.update(line)
            handle.write(line + b"\n")
    connection.close()


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def report(name: str, rows: int, seconds: float, raw: float) -> None:
    print(f"{name:44}{seconds:8.2f}{rows / seconds:10,.0f}{raw / seconds:8.2f}x")


if __name__ == "__main__":
    main()
