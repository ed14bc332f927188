"""Peak memory and CPU seconds of dataset builds and exports, and what they come to at ten million traces.

    python benchmarks/datasets.py [--rows 1000000] [--home FOLDER] [--only NAME]

Stores `--rows` traces of five texts and about 1 KB, one in twenty a near-duplicate. Then it builds versions of a tenth
of them and of all: without gates, and with each gate that compares rows; and it exports one of each. Every figure is
a process of its own. What grows from the tenth to all is continued in a straight line to ten million.
`--home` keeps the filled homes for the next time. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tunixrt_core.datasets.spec import DatasetSpec  # noqa: E402
from tunixrt_core.export.files import FileType  # noqa: E402
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline  # noqa: E402
from tunixrt_core.settings import Settings  # noqa: E402
from tunixrt_core.traces.trace import Step, Trace  # noqa: E402

WORDS = [f"w{n}" for n in range(5_000)]
MANY, MOST = 10_000_000, 400  # traces, MB
WORK: Mapping[str, Mapping[str, Any]] = {
    "no gate": {},
    "one trace per prompt": {"dedupe": "prompt"},
    "exact duplicates": {"gates": {"exact_duplicate": "exclude"}},
    "near-duplicates": {"gates": {"near_duplicate": "exclude"}},
    "contamination": {"gates": {"contamination": "exclude"}},
    "near-duplicate prompts on one side": {"split_by": "near_duplicate"},
    "the highest scores": {"selection": "top", "by": "quality", "limit": MANY},
    "the best right answer per prompt": {"selection": "best", "by": "quality"},
    "the same of each source": {"selection": "stratified", "by": "source", "allocation": "equal", "limit": MANY},
}
EXPORTS = (FileType.JSONL, FileType.PARQUET)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, help="where the filled homes are kept")
    parser.add_argument("--only", default="", help="part of the name of a piece of work")
    parser.add_argument("--measure", nargs=2, metavar=("HOME", "WORK"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measured(Path(given.measure[0]), given.measure[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        few, all_ = (filled(given.home or Path(folder), rows) for rows in (given.rows // 10, given.rows))
        print(f"{'':38}{'CPU s':>8}{'peak MB':>9}{'of a tenth':>12}{'at 10 million':>15}")
        names = [name for name in (*WORK, *(f"export as {kind}" for kind in EXPORTS)) if given.only in name]
        for name in names:
            tell(name, given.rows, *(apart(home, name) for home in (few, all_)))


def tell(name: str, rows: int, few: Mapping[str, float], every: Mapping[str, float]) -> None:
    each = (every["peak"] - few["peak"]) / (rows * 0.9)
    projected = every["peak"] + each * (MANY - rows)
    met = "" if projected <= MOST else f"  over {MOST}"
    print(f"{name:38}{every['cpu']:8.0f}{every['peak']:9.0f}{few['peak']:12.0f}{projected:15.0f}{met}")


def filled(folder: Path, rows: int) -> Path:
    home = folder / f"{rows}"
    if not (home / "filled").exists():
        with opened(home) as rt:
            rt.store._database.dialect.index = lambda connection, texts: None  # type: ignore[attr-defined]  # no search
            rt.store.traces.insert(traces(rows))
        (home / "filled").touch()
    return home


def opened(home: Path) -> Pipeline:
    home.mkdir(parents=True, exist_ok=True)
    return open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(home)}))


def traces(rows: int) -> Iterator[Trace]:
    rng = Random(0)
    last = None
    for n in range(rows):
        if last is not None and n % 20 == 7:
            words = last.steps[-1].content.split()
            changed = Step(len(last.steps) - 1, " ".join([*words[:3], "changed", *words[4:]]))
            yield Trace(last.prompt, (*last.steps[:-1], changed), last.final_answer, source="b")
            continue
        steps = tuple(Step(i, " ".join(rng.choices(WORDS, k=30))) for i in range(4))
        last = Trace(
            f"q{n} {' '.join(rng.choices(WORDS, k=30))}",
            steps,
            str(n),
            {"quality": n * 7919 % 1000},
            reference_answer=str(n),
            source="ab"[n % 3 % 2],
        )
        yield last


def apart(home: Path, name: str) -> dict[str, float]:
    """CPU seconds and peak memory in MB of one piece of work, in a process of its own."""
    command = [sys.executable, __file__, "--measure", str(home), name]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def measured(home: Path, name: str) -> dict[str, float]:
    with opened(home) as rt:
        began = time.process_time()
        if name in WORK:
            rt.datasets.build(DatasetSpec(f"bench-{time.time_ns()}", **WORK[name]))
        else:
            version = rt.datasets.versions()[-1]
            rt.exports.write(version.name, version.version, file_type=name.removeprefix("export as "))
        spent = time.process_time() - began
    return {"cpu": spent, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6}


if __name__ == "__main__":
    main()
