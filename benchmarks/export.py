"""CPU seconds of the exports, beside the bare driver and `datasets`.

    python benchmarks/export.py [--rows 20000] [--memory]

CPU seconds of this process, every competitor in turns over the same traces, the best of three rounds. The raw peer
reads the same two tables by the same query with sqlite3, parses each trace and writes prompt and completion with
orjson and sha256, without metadata. Nothing here is a test.

The peer in `datasets` is `map and to_json`, the same job from traces to a file of prompts and completions: it holds the
traces in Arrow already, reads no database, writes no metadata and takes no sha256. The two lines below it are parts of
that job, for comparison only: `to_json` of the traces as they are makes no completion, and `to_json` of ready rows
neither makes nor reads anything.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import orjson

from tunixrt_core.datasets.selection import build_dataset
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import freeze
from tunixrt_core.export.entries import Entry
from tunixrt_core.export.files import FileType, write_export
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.export.writers import Job
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.traces.trace import Step, Trace

WORDS = [f"w{n}" for n in range(5_000)]
ROUNDS = 3
QUERY = (
    "SELECT traces.body, dataset_rows.split FROM dataset_rows JOIN traces ON traces.hash = dataset_rows.hash "
    "WHERE dataset_rows.version_id = 1 ORDER BY dataset_rows.position"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument(
        "--memory", action="store_true", help="measure the peak memory of one export, in a process of its own"
    )
    parser.add_argument("--only-export", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only_export:
        export_alone(given.only_export)
        return
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "store.db", given.rows)
        if given.memory:
            command = [sys.executable, __file__, "--only-export", str(Path(folder) / "store.db")]
            subprocess.run(command, check=True)
        else:
            compare(Path(folder), given.rows)


def fill(path: Path, rows: int) -> None:
    """A store with one dataset version of traces of five steps and about 1.6 KB, the same ones each time."""
    with open_store(f"sqlite:///{path}") as store:
        store._database.dialect.index = lambda connection, texts: None  # type: ignore[attr-defined]  # no search here
        store.traces.insert(traces(rows))
        spec = DatasetSpec("bench")
        chosen = build_dataset(spec, store.traces.select(TraceQuery()))
        version = freeze(spec, chosen, version=1, parent=None, created_at=datetime(2026, 1, 1, tzinfo=UTC))
        store.datasets.add(version, chosen)


def traces(rows: int) -> Iterator[Trace]:
    rng = Random(0)
    for n in range(rows):
        steps = tuple(Step(i, " ".join(rng.choices(WORDS, k=45))) for i in range(5))
        yield Trace(f"q{n} {' '.join(rng.choices(WORDS, k=40))}", steps, str(n), source="b")


def compare(folder: Path, rows: int) -> None:
    database, out = folder / "store.db", folder / "out"
    with open_store(f"sqlite:///{database}") as store:
        work: dict[str, Callable[[], object]] = {
            "raw cursor + orjson + sha256": lambda: raw(database, out / "raw.jsonl"),
            **{f"export {name}": lambda name=name: export(store, name, out) for name in EXPORTS},  # type: ignore[misc]
            "export prompt_completion as jsonl.gz": lambda: export(store, "prompt_completion", out, FileType.JSONL_GZ),
            "export prompt_completion as parquet": lambda: export(store, "prompt_completion", out, FileType.PARQUET),
        }
        work |= hugging_face(database, out)
        spent = {name: float("inf") for name in work}
        for _ in range(ROUNDS):
            for name, do in work.items():
                began = time.process_time()
                do()
                spent[name] = min(spent[name], time.process_time() - began)
    print(f"{rows:,} traces\n\n{'':44}{'CPU s':>8}{'rows/s':>10}{'of raw':>9}")
    bare = spent["raw cursor + orjson + sha256"]
    for name, seconds in spent.items():
        print(f"{name:44}{seconds:8.2f}{rows / seconds:10,.0f}{bare / seconds:8.2f}x")


EXPORTS = ("prompt_completion", "tunix_sft", "trace", "messages", "grpo")


def raw(database: Path, path: Path) -> None:
    digest = hashlib.sha256()
    path.parent.mkdir(exist_ok=True)
    connection = sqlite3.connect(database)
    with path.open("wb") as handle:
        for body, split in connection.execute(QUERY):
            data = orjson.loads(body)
            steps = "\n".join([step["content"] for step in data["steps"]])
            completion = f"<reasoning>\n{steps}\n</reasoning>\n<answer>{data['final_answer']}</answer>"
            line = orjson.dumps({"prompt": data["prompt"], "completion": completion, "split": split}) + b"\n"
            digest.update(line)
            handle.write(line)
    connection.close()


def export(store: Store, name: str, folder: Path, file_type: FileType = FileType.JSONL) -> None:
    format = EXPORT_FORMATS[name]
    bodies = store.datasets.bodies("bench", 1, by_prompt=format.grouped)
    entries = (Entry(trace_hash, body, split) for trace_hash, body, split in bodies if body is not None)
    path = folder / f"{name}.{file_type.value}"
    write_export(
        format.lines(entries, Job()), path, format=name, file_type=file_type, columns=format.columns_with(Job().options)
    )


def hugging_face(database: Path, folder: Path) -> dict[str, Callable[[], object]]:
    """The same file by `datasets`, from traces that it already holds in Arrow, so without reading a database; then
    without making prompt and completion, which it holds too. Empty where `datasets` is not installed.
    """
    try:
        import datasets
    except ImportError:
        return {}
    datasets.disable_progress_bars()
    connection = sqlite3.connect(database)
    held = [orjson.loads(body) | {"split": split} for body, split in connection.execute(QUERY)]
    connection.close()
    kept = datasets.Dataset.from_list([{key: row[key] for key in row if key != "meta"} for row in held])
    gone = [name for name in kept.column_names if name not in ("prompt", "split")]
    round_of = itertools.count()

    def completed(row: dict[str, Any]) -> dict[str, str]:
        steps = "\n".join([step["content"] for step in row["steps"]])
        return {
            "completion": f"<reasoning>\n{steps}\n</reasoning>\n<answer>{row['final_answer']}</answer>",
        }

    def mapped() -> Any:  # a new fingerprint each time, or it would answer from its cache
        name = f"round{next(round_of)}"
        return kept.map(completed, remove_columns=gone, keep_in_memory=True, new_fingerprint=name)

    ready = mapped()
    path = str(folder / "hf.jsonl")
    return {
        "datasets: map and to_json, the same job": lambda: mapped().to_json(path),
        "datasets: to_json of the traces": lambda: kept.to_json(path),
        "datasets: to_json of ready rows": lambda: ready.to_json(path),
    }


def export_alone(database: Path) -> None:
    with open_store(f"sqlite:///{database}") as store:
        before = peak_memory()
        for name, file_type in (("prompt_completion", FileType.JSONL), ("grpo", FileType.JSONL_GZ)):
            export(store, name, database.parent / "out", file_type)
            print(f"peak memory up to {name} as {file_type.value}: {peak_memory():.0f} MiB, {before:.0f} before it")
        export(store, "prompt_completion", database.parent / "out", FileType.PARQUET)
        print(f"peak memory with pyarrow, up to prompt_completion as parquet: {peak_memory():.0f} MiB")


def peak_memory() -> float:
    """MiB of this process alone. getrusage would include the parent's memory at the fork."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
