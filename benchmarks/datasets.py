"""Peak memory and CPU seconds of dataset builds and exports, and what they come to at ten million traces.

    python benchmarks/datasets.py [--rows 1000000] [--home FOLDER] [--only NAME]
    python benchmarks/datasets.py --spread --rows 100000

Stores `--rows` traces of five texts and about 1 KB, one in twenty a near-duplicate. Then it builds versions of a tenth
of them and of all: without gates, and with each gate that compares rows; and it exports one of each. Every figure is
a process of its own. What grows from the tenth to all is continued in a straight line to ten million.
`--home` keeps the filled homes for the next time.

`--spread` starts a Ray cluster of two nodes on this machine and builds with both gates that cost most: alone, and with
one and two CPUs of the cluster. CPU seconds are of the process of the build, of that with Ray's driver, and of the
workers. What a row costs each of them gives the projection.
Nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.helpers.machines.ray_nodes import RayNodes  # noqa: E402
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
SPREAD = ("near-duplicates", "contamination")
CPUS = (1, 2, 4, 8)  # of the projection
EXPORTS = (FileType.JSONL, FileType.PARQUET)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, help="where the filled homes are kept")
    parser.add_argument("--only", default="", help="part of the name of a piece of work")
    parser.add_argument("--spread", action="store_true", help="beside builds whose rows a Ray cluster checks")
    parser.add_argument("--measure", nargs=2, metavar=("HOME", "WORK"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measured(Path(given.measure[0]), given.measure[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        if given.spread:
            spread(filled(given.home or Path(folder), given.rows), given.rows, Path(folder))
            return
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


def spread(home: Path, rows: int, folder: Path) -> None:
    """Builds alone and with one and two CPUs of a cluster, and the projection of both."""
    print(f"{'':34}{'wall s':>8}{'alone':>8}{'build':>8}{'driver':>8}{'workers':>9}{'peak MB':>9}{'driver MB':>11}")
    with RayNodes(folder) as nodes:
        for name in SPREAD:
            alone = apart(home, name)
            tell_spread(f"{name}, alone", alone, alone)
            for builders in (1, 2):
                os.environ.update(nodes.environ, TUNIXRT_EXECUTOR=f"{nodes.address}&builders={builders}")
                with WorkerSeconds(nodes) as workers:
                    found = apart(home, name)
                del os.environ["TUNIXRT_EXECUTOR"]
                found["workers"] = workers.total
                tell_spread(f"{name}, {builders} CPU of the cluster", found, alone)
            project(name, rows, alone, found)


def tell_spread(name: str, found: Mapping[str, float], alone: Mapping[str, float]) -> None:
    print(
        f"{name:34}{found['wall']:8.1f}{found['wall'] / alone['wall']:6.2f} x{found['cpu']:8.1f}{found['driver']:8.1f}"
        f"{found.get('workers', 0.0):9.1f}{found['peak']:9.0f}{found['driver_peak']:11.0f}",
        flush=True,
    )


def project(name: str, rows: int, alone: Mapping[str, float], found: Mapping[str, float]) -> None:
    """Hours for ten million rows on CPUs of their own: if all worked at the same time, and if workers had to be waited
    for.
    """
    here, driver, work = (1e6 * found[key] / rows for key in ("cpu", "driver", "workers"))
    print(
        f"  us per row: alone {1e6 * alone['cpu'] / rows:.0f}; build {here:.0f}, driver {driver:.0f}, work {work:.0f}"
    )
    for cpus in CPUS:
        least, most = max(here, driver, work / cpus), here + work / cpus
        print(
            f"  {MANY:,} rows with {cpus} CPUs: max({here:.0f}, {driver:.0f}, {work:.0f} / {cpus}) = {least:.0f} to "
            f"{here:.0f} + {work:.0f} / {cpus} = {most:.0f} us each: {least * MANY / 3.6e9:.2f} to "
            f"{most * MANY / 3.6e9:.2f} h, alone {alone['cpu'] / rows * MANY / 3600:.2f} h"
        )


class WorkerSeconds:
    """CPU seconds of the workers of a cluster, their start included, looked at twice per second, as they end with the
    build.
    """

    def __init__(self, nodes: RayNodes) -> None:
        self._nodes = nodes
        self._spent: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    @property
    def total(self) -> float:
        return sum(self._spent.values())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        import psutil  # comes with ray

        while not self._ended.wait(0.5):
            for pid in (*self._nodes.processes("ray::work_on"), *self._nodes.processes("ray::IDLE")):
                with suppress(psutil.NoSuchProcess):
                    self._spent[pid] = sum(psutil.Process(pid).cpu_times()[:2])


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
    return open_pipeline(Settings.from_env({**os.environ, "TUNIXRT_HOME": str(home)}))


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
        began, begun = time.process_time(), time.monotonic()
        if name in WORK:
            rt.datasets.build(DatasetSpec(f"bench-{time.time_ns()}", **WORK[name]))
        else:
            version = rt.datasets.versions()[-1]
            rt.exports.write(version.name, version.version, file_type=name.removeprefix("export as "))
        spent = time.process_time() - began
    here, driver = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "cpu": spent,
        "wall": time.monotonic() - begun,
        "peak": here.ru_maxrss * 1024 / 1e6,
        "driver": driver.ru_utime + driver.ru_stime,
        "driver_peak": driver.ru_maxrss * 1024 / 1e6,
    }


if __name__ == "__main__":
    main()
