"""CPU milliseconds of the overview page with a million traces and 1,000 runs.

    python benchmarks/overview_page.py [--traces 1000000] [--runs 1000] [--home DIR]

The peer is reading the folder of every run. A kept home (`--home`) is filled once. Times are medians of 15, of this
process.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from streamlit import config
from streamlit.testing.v1 import AppTest

from app import state
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.evaluation.folder import EvalDir, EvalSpec, EvalState
from tunixrt_core.evaluation.sets.setup import EvalSetRef, EvalSetup
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.runs.evaluation_record import Target
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import TrainMetric
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.training.recording.recorder import RunRecorder
from tunixrt_core.util.files.atomic import write_json

ENTRY = Path(__file__).resolve().parent.parent / "app" / "main.py"
LIMIT_MS = 100.0


def traces(count: int) -> Iterator[Trace]:
    for n in range(count):
        yield Trace(f"What is {n} and {n}?", (Step(0, f"{n} twice is {2 * n}"),), str(2 * n), source="made")


def add_run(rt: Pipeline, number: int) -> None:
    """Make the runs: every tenth fails; the others have an evaluation of base and tuned model."""
    manifest = rt.manifests.build("examples", 1, model_id="tiny", hyperparams={"train_steps": 40})
    folder = RunDir(Path(manifest.output_dir))
    folder.create()
    folder.manifest_file.write_text(manifest.to_yaml(), encoding="utf-8")
    recorder = RunRecorder(folder)
    recorder.phase("loading")
    recorder.plan({"total_train_steps": 40, "device": "CPU"})
    recorder.phase("training")
    for step in range(1, 41):
        recorder.record(TrainMetric(train_step=step, loss=3.0 / step))
    failed = number % 10 == 9
    recorder.finish(RunStatus.FAILED if failed else RunStatus.SUCCEEDED, message="It broke off." if failed else "")
    recorder.close()
    for target in () if failed else ("base", "tuned"):
        add_evaluation(folder, target, number)  # type: ignore[arg-type]
    rt.registry.add(manifest, folder, folder.state())


def add_evaluation(folder: RunDir, target: Target, number: int) -> None:
    setup = EvalSetup(eval_set=EvalSetRef("split", "examples v1", "ab", 60), max_new_tokens=8)
    spec = EvalSpec(target=target, train_step=40 if target == "tuned" else None, setup=setup, scorers=("exact_match",))
    found = EvalDir(folder.evals / spec.name)
    found.path.mkdir(parents=True)
    write_json(found.spec_file, spec.to_dict())
    score = 0.3 if target == "base" else 0.3 + number % 60 / 100
    write_json(found.summary_file, {"rows": 60, "exact_match": score, "scorers": {"exact_match": 1}})
    found.write_state(EvalState(status=RunStatus.SUCCEEDED))


def fill(rt: Pipeline, count: int, runs: int) -> None:
    rt.traces.ingest_examples(60)
    rt.datasets.build(DatasetSpec("examples"))
    rt.store.traces.insert(traces(count))
    for number in range(runs):
        add_run(rt, number)
    rt.evaluations.records()


def median_ms(work: Callable[[], object], times: int = 15) -> float:
    work()
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - began))
    return statistics.median(taken)


def measure(rt: Pipeline) -> None:
    state.set_pipeline(rt)
    config.set_option("runner.postScriptGC", False)  # as the server has it
    page = AppTest.from_file(str(ENTRY), default_timeout=120)
    script = median_ms(page.run)
    assert not page.exception
    every_folder = median_ms(lambda: (rt.evaluations.records(), rt.runs.page(limit=200)), 5)
    print(f"{rt.traces.count():,} traces, {rt.home.overview().runs.total:,} runs, {datetime.now(UTC):%Y-%m-%d}")
    for name, value in (
        ("script run of the page", script),
        ("  overview()", median_ms(rt.home.overview)),
        ("  attention()", median_ms(rt.home.attention)),
        ("  holding()", median_ms(rt.home.holding)),
        ("reading every run's folder", every_folder),
    ):
        print(f"{name:30}{value:9.1f} ms")
    print(f"{'page / limit of 100 ms':30}{script / LIMIT_MS:9.2f}")
    print(f"{'page / reading every folder':30}{script / every_folder:9.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch)
        with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(home)})) as rt:
            if not rt.traces.count():
                fill(rt, options.traces, options.runs)
            measure(rt)


if __name__ == "__main__":
    main()
