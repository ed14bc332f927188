"""Milliseconds of search, filters, pages and counts in a large store: p50 and p95.

    python benchmarks/store_search.py [--rows 1000000] [--keep DIRECTORY]

Of 100 calls each. CPU time is given beside wall time: other work on a shared machine adds to wall time, and almost
nothing to CPU time.

The traces are made up: five steps, 1.6 KB, words as frequent as in a language (the n-th 1/n as often as the first), six
sources of very different sizes, one answer in ten wrong, prompts with several traces. The database is about 2.8 GB per
million and is removed at the end; `--keep` keeps it, and measures an existing one again. The bars: 10 ms for a search,
2 ms for a page anywhere.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

from tunixrt_core.store.query import TraceQuery, encode_cursor
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.traces.scores import GivenScore, ScoredTrace
from tunixrt_core.traces.trace import Step, Trace

VOCABULARY = [f"w{n}" for n in range(50_000)]
WEIGHTS = list(accumulate(1 / (n + 1) for n in range(len(VOCABULARY))))
SOURCES = ("huge", "large", "middle", "small", "few", "rare")
SOURCE_WEIGHTS = list(accumulate((0.6, 0.25, 0.1, 0.04, 0.0099, 0.0001)))
TIMES = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = (given.keep or Path(folder)) / "store.db"
        with open_store(f"sqlite:///{path}") as store:
            if not store.traces.count(TraceQuery()):
                fill(store, given.rows)
        with open_store(f"sqlite:///{path}") as store:  # closed in between, as the log is put into the database then
            print(
                f"{path.stat().st_size / 1e9:.2f} GB\n\n{'':46}{'p50 ms':>9}{'p95 ms':>9}{'p50 CPU':>9}{'p95 CPU':>9}"
            )
            measure(store, int(store.traces.count(TraceQuery())))


def fill(store: Store, rows: int) -> None:
    began = time.process_time()
    store.traces.insert(made_up(rows))
    spent = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rows:,} traces made and stored in {spent:,.0f} CPU s, peak memory {peak:,.0f} MiB")


def made_up(rows: int) -> Iterator[Trace | ScoredTrace]:
    rng = random.Random(0)
    pool = [" ".join(rng.choices(VOCABULARY, cum_weights=WEIGHTS, k=45)) for _ in range(20_000)]
    for n in range(rows):
        steps = tuple(Step(i, text) for i, text in enumerate(rng.choices(pool, k=rng.choice((3, 4, 5, 5, 6, 7)))))
        prompt = f"q{n % 50_000 if n % 4 == 0 else n} {pool[n % 20_000]}"
        right = "1" if rng.random() < 0.9 else "2"
        source = rng.choices(SOURCES, cum_weights=SOURCE_WEIGHTS)[0]
        trace = Trace(prompt, steps, right, {"n": n}, reference_answer="1", source=source, model="m")
        if n % 100 == 0:
            given = GivenScore(name="prm", value=rng.random(), scorer="prm", version="1")
            yield ScoredTrace(trace, (given,))
        else:
            yield trace


def measure(store: Store, rows: int) -> None:
    rng = random.Random(1)
    page = store.traces.page

    def word(low: int, high: int) -> str:
        return VOCABULARY[rng.randrange(low, high)]

    report("page, newest", lambda: page(TraceQuery()))
    report("page, anywhere", lambda: page(TraceQuery(), after=encode_cursor(rng.randrange(1, rows))))
    report("search: a common word", lambda: page(TraceQuery(text=word(0, 100))))
    report("search: a rare word", lambda: page(TraceQuery(text=word(10_000, 50_000))))
    report("search: two words", lambda: page(TraceQuery(text=f"{word(10, 1_000)} {word(10, 1_000)}")))
    report("search: a beginning", lambda: page(TraceQuery(text=word(100, 50_000)[:3])))
    report("search and a large source", lambda: page(TraceQuery(text=word(0, 1_000), source="large")))
    report("search and a rare source", lambda: page(TraceQuery(text=word(10, 1_000), source="rare")))
    for name in ("huge", "small", "rare"):
        report(f"source {name}", lambda name=name: page(TraceQuery(source=name)))  # type: ignore[misc]
    report("wrong answers of a small source", lambda: page(TraceQuery(source="small", correct=False)))
    report("steps from 6", lambda: page(TraceQuery(min_steps=6)))
    report("steps from 8, of which there are none", lambda: page(TraceQuery(min_steps=8)))
    report("score above 0.9", lambda: page(TraceQuery(score="prm", min_score=0.9)))
    report("score above 0.9999", lambda: page(TraceQuery(score="prm", min_score=0.9999)))
    report("prompt groups, anywhere", lambda: store.groups.page(after=f"{rng.randrange(2**256):064x}"))
    report("count: all", lambda: store.traces.count(TraceQuery()))
    report("count: a source", lambda: store.traces.count(TraceQuery(source="huge")))
    report("count: a common word", lambda: store.traces.count(TraceQuery(text=word(0, 100))))
    report("count: a word and a source", lambda: store.traces.count(TraceQuery(text=word(0, 100), source="large")))
    report("count: steps from 6", lambda: store.traces.count(TraceQuery(min_steps=6)))


def report(name: str, work: Callable[[], object]) -> None:
    work()
    spent = []
    for _ in range(TIMES):
        began = time.perf_counter(), time.process_time()
        work()
        spent.append(((time.perf_counter() - began[0]) * 1e3, (time.process_time() - began[1]) * 1e3))
    figures = [(statistics.median(one), statistics.quantiles(one, n=20)[-1]) for one in zip(*spent, strict=True)]
    print(f"{name:46}" + "".join(f"{value:9.2f}" for pair in figures for value in pair), flush=True)


if __name__ == "__main__":
    main()
