"""Speed of each quality gate, a version with all gates, and math-verify processes.

    python benchmarks/quality.py [--rows 100000] [--gsm8k FILE]

The peer of each gate is reading the same rows from the store, which is the floor; that of the near-duplicate gate also
its library alone on the same word n-grams. CPU seconds of this process; the verifying processes in wall time.
Nothing here is a test.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from tunixrt_core.datasets.gates.check import Tools
from tunixrt_core.datasets.gates.minhash import PERMUTATIONS, shingles
from tunixrt_core.datasets.gates.registry import GATES, chosen_gates, normal_gates
from tunixrt_core.datasets.gates.texts import whole_text
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.traces.answers.pool import VerifyPool
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Step, Trace

WORDS = [f"w{n}" for n in range(5_000)]
DUPLICATES = 100  # one row in this many repeats another one with two more words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--gsm8k", type=Path, help="GSM8K's train file, to measure too.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.gsm8k:
            with opened(Path(folder) / "gsm8k") as rt:
                rt.traces.ingest(options.gsm8k)
                measure(rt, "GSM8K train")
        with opened(Path(folder) / "synthetic") as rt:
            rt.traces.add_many(synthetic(options.rows))
            measure(rt, f"{options.rows:,} synthetic traces of five steps and 1.6 KB, 1 % near-duplicates")
    verifying()
    print(f"\npeak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB")


def opened(home: Path) -> Pipeline:
    return open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(home)}))


def synthetic(rows: int) -> Iterator[Trace]:
    """The same traces each time."""
    rng = random.Random(0)
    kept: list[tuple[str, list[str]]] = []
    for n in range(rows):
        prompt = " ".join(rng.choices(WORDS, k=40))
        steps = [" ".join(rng.choices(WORDS, k=45)) for _ in range(5)]
        if n % DUPLICATES == DUPLICATES - 1:
            prompt, steps = rng.choice(kept)
            prompt, steps = f"other {prompt}", [f"other {steps[0]}", *steps[1:]]
        elif len(kept) < 2_000:
            kept.append((prompt, steps))
        made = tuple(Step(i, step) for i, step in enumerate([*steps, f"so {n}"]))
        yield Trace(prompt, made, str(n), reference_answer=str(n), source="b")


def measure(rt: Pipeline, what: str) -> None:
    version = rt.datasets.build(DatasetSpec("plain"))
    rows = version.rows
    print(f"\n{what}: {version.train_rows:,} train and {version.eval_rows:,} eval rows\n")
    print(f"{'':44}{'CPU s':>8}{'us/row':>9}{'rows/s':>10}{'found':>8}")
    line("read from the store", rows, timed(lambda: sum(1 for _ in rt.datasets.rows("plain"))))
    line("read, and MinHash by the library alone", rows, timed(lambda: library_alone(rt)))
    for name in GATES:
        found: list[int] = []
        line(f"gate {name}, reading included", rows, timed(lambda n=name, f=found: f.append(one_gate(rt, n))), found)  # type: ignore[misc]
    began = time.perf_counter()
    spent = timed(
        lambda: rt.datasets.build(
            DatasetSpec("every", gates={**dict.fromkeys(GATES, "warn"), "near_duplicate": "exclude"})
        )
    )
    line("a version with every gate", rows, spent, [sum(one.rows for one in rt.datasets.gates("every"))])
    print(f"{'  the same, wall':44}{time.perf_counter() - began:8.2f}")


def library_alone(rt: Pipeline) -> None:
    from rensa import RMinHash  # type: ignore[import-untyped]

    for trace, _ in rt.datasets.rows("plain"):
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update(list(shingles(whole_text(trace), 3)))


def one_gate(rt: Pipeline, name: str) -> int:
    choice = chosen_gates(normal_gates({name: "warn"}))[0]

    def read(hashes: object) -> Iterator[Trace]:
        return rt.store.traces.by_hashes(hashes, on_missing=lambda hash: None)  # type: ignore[arg-type]

    check = choice.gate.start(choice.settings, Tools(read))
    order: tuple[Split, ...] = ("eval", "train")
    for split in order:
        look = check.look(split)
        for trace, side in rt.datasets.rows("plain", split=split):
            check.take(trace.content_hash, side, look(trace))
    found = len(check.finish(set()).findings)
    check.close()
    return found


def verifying() -> None:
    """Judge pairs that neither text nor numbers can decide, in the processes."""
    pairs = [(rf"\frac{{\sqrt{{{4 * n}}}}}{{2}}", rf"\sqrt{{{n}}}") for n in range(2, 1_202)]
    print(f"\n{'':44}{'wall s':>8}{'':9}{'rows/s':>10}")
    for workers in (1, 2):
        pool = VerifyPool(workers=workers)
        list(pool.judge(islice(pairs, 2 * workers)))  # the processes start, and sympy is imported
        began = time.perf_counter()
        words = list(pool.judge(pairs))
        spent = time.perf_counter() - began
        print(f"{f'math-verify, {workers} processes':44}{spent:8.2f}{'':9}{len(pairs) / spent:10,.0f}")
        assert set(words) == {"right"}
        pool.close()


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def line(name: str, rows: int, seconds: float, found: list[int] | None = None) -> None:
    said = f"{found[0]:8,}" if found else ""
    print(f"{name:44}{seconds:8.2f}{1e6 * seconds / rows:9.0f}{rows / seconds:10,.0f}{said}", flush=True)


if __name__ == "__main__":
    main()
