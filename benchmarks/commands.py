"""Seconds of the command's listings and help: `python benchmarks/commands.py`."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BARS = {"--help": 0.25, "runs list": 0.35, "evals list": 0.35, "traces list": 0.35, "dataset list": 0.35}
BARS |= {"models list": 0.35}
PEERS = {
    "python -c pass": "pass",
    "import typer and rich's tables": "import typer, rich.console, rich.table",
    "import sqlalchemy": "import sqlalchemy",
}


class Cost(NamedTuple):
    seconds: float  # by the clock
    cpu: float  # user and system


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    tunixrt = [sys.executable, "-m", "tunixrt_core"]
    wanted = {name: [sys.executable, "-c", code] for name, code in PEERS.items()}
    wanted |= {f"tunixrt {words}": [*tunixrt, *words.split()] for words in BARS}
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "TUNIXRT_HOME": home}
        for words in (["ingest", "--examples"], ["dataset", "build", "mine"]):
            measure([*tunixrt, *words], environ)
        costs: dict[str, list[Cost]] = {name: [] for name in wanted}
        for _ in range(1 + options.runs):  # the first round compiles to __pycache__
            for name, command in wanted.items():
                costs[name].append(measure(command, environ))
    # by the clock: the CPU time of an empty Python is below what the kernel counts
    empty = statistics.median(cost.seconds for cost in costs["python -c pass"][1:])
    print(f"{options.runs} runs each, in turn: seconds (median), CPU seconds (least), times an empty Python's seconds")
    for name, found in costs.items():
        seconds, cpu = statistics.median(cost.seconds for cost in found[1:]), min(cost.cpu for cost in found[1:])
        bar = BARS.get(name.removeprefix("tunixrt "))
        met = "" if bar is None else f"   bar {bar:.2f} s: {'met' if seconds < bar else 'NOT met'}"
        print(f"  {name:<31} {seconds:5.2f} {cpu:5.2f} {seconds / empty:5.1f}{met}")
    return 0


def measure(command: list[str], environ: dict[str, str]) -> Cost:
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True)
    seconds, after = time.perf_counter() - began, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(seconds, spent)


if __name__ == "__main__":
    sys.exit(main())
