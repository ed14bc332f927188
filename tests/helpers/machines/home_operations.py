"""The operations of a home with JSON words, done to their end: in the process of a test, or in one that is killed."""

from __future__ import annotations

import importlib
import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.helpers.fakes import FakeBackend
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import open_store
from tunixrt_core.training.model_export import ExportLayout, ModelExportOptions, folder_name

WAIT_SECONDS = 900  # for one of them, on a busy machine
SLOW = 0.01  # seconds of a train step that a stop can come between
SHAPE = {"batch_size": 2, "max_seq_length": 256, "eval_every": 2, "checkpoint_every": 2}


def load(trained: str) -> None:
    """Import what the operations import, so that each fork need not."""
    names = [f"tunixrt_core.{name}" for name in _IMPORTED]
    if trained == "tunix":
        names += ["tunixrt_core.tunix_backend.train.sft", "tunixrt_core.tunix_backend.generate.completions"]
    for name in names:
        importlib.import_module(name)


_IMPORTED = (
    "pipeline.namespaces.traces",
    "pipeline.namespaces.datasets",
    "pipeline.namespaces.exports",
    "pipeline.namespaces.manifests",
    "pipeline.namespaces.starting",
    "pipeline.namespaces.evaluations",
    "pipeline.namespaces.model_exports",
    "pipeline.namespaces.home",
    "jobs.work",
    "datasets.building",
    "datasets.gates.check",
    "store.traces.traces",
    "store.sql.pools",
    "evaluation.execution",
    "training.execution",
    "export.files",
)


def open_home_with(home: Path, trained: str, step_seconds: float = 0.0) -> Pipeline:
    """The home as a server that starts: its runs are recovered, and what waited is queued again."""
    settings = Settings.from_env({"TUNIXRT_HOME": str(home)})
    if trained == "tunix":
        pipeline = open_pipeline(settings)
    else:
        store = open_store(settings.database_url)
        pipeline = Pipeline(settings, store, JobManager(store.runs, FakeBackend(step_seconds=step_seconds)))
        pipeline.registry.recover()
    pipeline.queue_again()
    return pipeline


def do(rt: Pipeline, operation: str, **words: Any) -> Any:
    """Do one operation and wait for its end. Done again after a kill, it makes nothing twice."""
    return OPERATIONS[operation](rt, **words)


def import_traces(rt: Pipeline, n: int, seed: int) -> None:
    """Import `n` example traces of a seed."""
    rt.traces.ingest_examples(n, seed)


def delete(rt: Pipeline, hashes: list[str]) -> None:
    """Delete traces."""
    for each in hashes:
        rt.traces.delete(each)


def build(rt: Pipeline, name: str) -> None:
    """Freeze all traces as the next version of a name."""
    rt.datasets.build(DatasetSpec(name))


def export(rt: Pipeline, name: str, version: int) -> Path:
    """Export a version into the home."""
    return rt.exports.write(name, version).path


def start(rt: Pipeline, name: str, version: int, steps: int, request: str) -> Run:
    """Start a run of a version, and train it to its end."""
    manifest = rt.manifests.build(name, version, model_id="tiny", hyperparams={"train_steps": steps, **SHAPE})
    return trained(rt, rt.runs.start(manifest, request_id=request).id)


def clone(rt: Pipeline, run: str, request: str) -> Run:
    """Start a clone of a run, and train it to its end."""
    variant = rt.manifests.clone(run, {"seed": 7})
    return trained(rt, rt.runs.start(variant.manifest, parent=run, request_id=request).id)


def trained(rt: Pipeline, run: str) -> Run:
    """The run when it is over; one that a kill interrupted is resumed."""
    assert rt.queue.wait(WAIT_SECONDS)
    if rt.runs.get(run).status is RunStatus.INTERRUPTED:
        rt.runs.resume(run)
        assert rt.queue.wait(WAIT_SECONDS)
    return rt.runs.get(run)


def resume(rt: Pipeline, run: str, steps: int) -> Run:
    """Train a run up to `steps`, of which a killed process may have done some or all."""
    state = rt.runs.state(run)
    if state.status is RunStatus.INTERRUPTED:
        rt.runs.resume(run)
        assert rt.queue.wait(WAIT_SECONDS)
        state = rt.runs.state(run)
    if state.train_step < steps:
        rt.runs.resume(run, train_steps=steps)
        assert rt.queue.wait(WAIT_SECONDS)
    return rt.runs.get(run)


def stop(rt: Pipeline, name: str, version: int, request: str) -> Run:
    """Start a long run, and stop it after its first train step."""
    manifest = rt.manifests.build(name, version, model_id="tiny", hyperparams={"train_steps": 5_000, **SHAPE})
    run = rt.runs.start(manifest, request_id=request)
    if rt.runs.get(run.id).status is RunStatus.INTERRUPTED:
        rt.runs.resume(run.id)
    until = time.monotonic() + WAIT_SECONDS
    while not (state := rt.runs.state(run.id)).status.over and state.train_step < 1:
        assert time.monotonic() < until
        time.sleep(0.005)
    if not state.status.over:
        rt.runs.stop(run.id)
    assert rt.queue.wait(WAIT_SECONDS)
    return rt.runs.get(run.id)


def evaluate(rt: Pipeline, run: str) -> list[str]:
    """Evaluate the base and the tuned model of a run. Names of the evaluations."""
    request = EvalRequest(max_new_tokens=8, scorers=("exact_match",), limit=2)
    records = rt.evaluations.start(run, request=request)
    assert rt.queue.wait(WAIT_SECONDS)
    return [record.id for record in records]


def export_model(rt: Pipeline, run: str) -> Path:
    """Export the tuned model of a run, unless that is done."""
    target = RunDir(Path(rt.runs.get(run).directory)).path / "export" / folder_name(ExportLayout.MERGED)
    if not os.path.lexists(target):
        state = rt.model_exports.start(run, ModelExportOptions(transformers=False))
        assert rt.queue.wait(WAIT_SECONDS)
        state = rt.model_exports.get(state.id)
        assert state.status is RunStatus.SUCCEEDED, state.message
    return target


def wait_and_die(rt: Pipeline, run: str, scored: str) -> None:
    """Queue one of each kind behind a run that trains, and be killed while they wait."""
    busy = rt.runs.start(rt.manifests.build("a", model_id="tiny", hyperparams={"train_steps": 10**6}))
    while rt.runs.state(busy.id).train_step < 1:
        time.sleep(0.005)
    rt.evaluations.score_again(scored)
    rt.evaluations.start(
        run, ["base"], EvalRequest(max_new_tokens=7, scorers=("exact_match",), limit=1, own_prompt=False)
    )
    rt.model_exports.start(run, ModelExportOptions(ExportLayout.PEFT, transformers=False))
    rt.runs.start(rt.manifests.build("a", model_id="tiny", hyperparams={"train_steps": 2}))
    rt.evaluations.start(run, ["tuned"], EvalRequest(scorers=("exact_match",), limit=1), again=True)
    os.kill(os.getpid(), signal.SIGKILL)


OPERATIONS = {
    "wait_and_die": wait_and_die,
    "import": import_traces,
    "delete": delete,
    "build": build,
    "export": export,
    "start": start,
    "clone": clone,
    "resume": resume,
    "stop": stop,
    "evaluate": evaluate,
    "export_model": export_model,
}
