"""Exact match of the tiny model trained with the steps and on the answers alone.

    python benchmarks/steps_matter.py [--seeds 0 1 2]

Same model, rows, train steps and learning rate; only `rendering.reasoning` differs. Prints exact match on the held-out
prompts before and after, with the 95 % interval, and the wall time of each part on this machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time

from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.settings import Settings


def measure(rt: Pipeline, reasoning: str, seed: int) -> None:
    manifest = rt.manifests.build("dial", model_id="tiny", hyperparams={"reasoning": reasoning, "seed": seed})
    began = time.perf_counter()
    run = rt.runs.start(manifest)
    rt.queue.wait()
    trained = time.perf_counter()
    rt.evaluations.start(run.id)
    rt.queue.wait()
    ended = time.perf_counter()
    state = rt.runs.state(run.id)
    found = {record.target: record.metrics for record in rt.evaluations.records(run.id)}
    tuned = found["tuned"]
    print(
        f"{reasoning:>7}  seed {seed}  {state.train_step} train steps  "
        f"base {found['base']['exact_match']:.3f}  tuned {tuned['exact_match']:.3f} "
        f"({tuned['exact_match_low']:.3f} to {tuned['exact_match_high']:.3f}, n = {tuned['rows']})  "
        f"train {trained - began:.0f} s  evaluate {ended - trained:.0f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as home, open_pipeline(Settings.from_env({"TUNIXRT_HOME": home})) as rt:
        rt.traces.ingest_examples()
        version = rt.datasets.build(DatasetSpec("dial"))
        print(f"{version.train_rows} train rows, {version.eval_rows} eval rows; a guess is right in 0.100")
        for seed in seeds:
            for reasoning in ("tags", "answer"):
                measure(rt, reasoning, seed)


if __name__ == "__main__":
    main()
