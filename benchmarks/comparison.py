"""CPU seconds of comparing two evaluations row by row, beside SciPy's bootstrap.

    python benchmarks/comparison.py [--rows 10000] [--rounds 5]

A page waits for it. `compare` pairs the rows, counts, tests, and bootstraps the difference of the means. The peer is
the bootstrap alone: `scipy.stats.bootstrap` of the mean of ready differences with as many resamples. The best of the
rounds counts.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.results.comparison import compare
from tunixrt_core.evaluation.results.statistics import RESAMPLES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    rng = random.Random(0)
    kinds = {"right or wrong": lambda: float(rng.random() < 0.5), "any number": lambda: rng.gauss(10, 3)}
    for kind, draw in kinds.items():
        first, second = ([draw() for _ in range(given.rows)] for _ in range(2))
        ours = best(given.rounds, lambda one=first, other=second: compare(side(one), side(other), "score"))
        gained = np.asarray(second) - np.asarray(first)
        peer = best(given.rounds, lambda gained=gained: bootstrap(gained))
        print(f"{given.rows:,} rows, {kind}: {ours:.2f} s, SciPy's bootstrap alone {peer:.2f} s, {ours / peer:.3f} x")


def best(rounds: int, work: Callable[[], object]) -> float:
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def side(scores: Sequence[float]) -> list[Prediction]:
    return [
        Prediction(f"r{i}", f"prompt {i}", "1", "1", "1", {"score": score}, tokens=3, hit_limit=False, row=i)
        for i, score in enumerate(scores)
    ]


def bootstrap(gained: np.ndarray) -> object:
    # in parts: all resamples of 10,000 rows at once would take 800 MB
    return stats.bootstrap((gained,), np.mean, n_resamples=RESAMPLES, batch=100, method="percentile", random_state=0)


if __name__ == "__main__":
    main()
