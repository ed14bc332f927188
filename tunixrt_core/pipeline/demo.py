"""A home filled by real runs of the bundled example, to look at before training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import JobFailed
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.traces.examples import SOURCE
from tunixrt_core.traces.scores import GivenScore

if TYPE_CHECKING:
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.pipeline.pipeline import Pipeline

DATASET = "dial"
# A third of the rows that the preset takes. With a fifth, some seeds learn the task and others have not yet begun to.
QUICK: Mapping[str, float] = {"batch_size": 4, "train_steps": 900}
_JUDGED = 12  # traces
_POLL_SECONDS = 0.2
_CONTINUE = "Fix the cause, and start the demo again: it continues from there."


def fill(
    rt: Pipeline, say: Callable[[str], None] = lambda text: None, hyperparams: Mapping[str, float] = QUICK
) -> tuple[Run, Run]:
    """Fill a home in the order in which a user would. Returns its two runs, both trained and evaluated.

    `hyperparams` are those of the first run, `train_steps` among them; the second is a clone of it with half of the
    train steps and another learning rate. `say` is told what begins. A second call repeats nothing, and continues
    what was stopped. Raises JobFailed for a training that fails, TunixMissing without Tunix.
    """
    rt.jobs.backend.require()
    steps = int(hyperparams["train_steps"])
    say("Importing 600 bundled traces, judging some, building a dataset")
    _add_data(rt)
    say(f"Training the tiny model for {steps:,} train steps")
    first = _trained(
        rt, "demo-first", None, lambda: rt.manifests.build(DATASET, model_id="tiny", hyperparams=hyperparams)
    )
    say(f"Evaluating {first.id}: the base and the tuned model answer prompts of the eval split")
    _evaluate(rt, first)
    for record in rt.evaluations.records(first.id):
        rt.evaluations.keep_predictions(record.id, only_correct=False)  # so that prompts have several answers
    changes = {"train_steps": steps // 2, "learning_rate": 2e-3}
    say(f"Training a clone of {first.id} for {steps // 2:,} train steps, with another learning rate")
    second = _trained(rt, "demo-second", first.id, lambda: rt.manifests.clone(first.id, changes).manifest)
    say(f"Evaluating {second.id}")
    _evaluate(rt, second)
    return first, second


def _add_data(rt: Pipeline) -> None:
    rt.traces.ingest_examples()
    if not rt.datasets.versions(DATASET):
        _judge(rt)
    # of the bundled traces alone: the kept answers of an evaluation make no new version
    rt.datasets.build(DatasetSpec(DATASET, source=SOURCE, selection="random", limit=400))
    rt.datasets.build(DatasetSpec(DATASET, source=SOURCE))


def _judge(rt: Pipeline) -> None:
    ids = [stored.id for stored in rt.traces.page(limit=_JUDGED).items]
    for i, trace_id in enumerate(ids):
        rt.traces.tag(trace_id, ["checked"] if i % 3 else ["checked", "keep"])
        rt.traces.score(trace_id, [_judged("quality", float(i % 5 > 0))])
    rt.traces.score(ids[0], [_judged("step quality", 1.0, step) for step in range(3)])
    rt.traces.note(ids[0], "Each turn is looked up; nothing is skipped.")


def _judged(name: str, value: float, step: int | None = None) -> GivenScore:
    return GivenScore(name=name, value=value, step=step, scorer="user", version="1", kind="human")


def _trained(rt: Pipeline, request_id: str, parent: str | None, manifest: Callable[[], RunManifest]) -> Run:
    """The run of this request, started, or continued where it was stopped, and waited for."""
    run = rt.runs.by_request(request_id)
    if run is None:
        run = rt.runs.start(manifest(), request_id=request_id, parent=parent)
    elif run.status.over and run.status is not RunStatus.SUCCEEDED:
        run = rt.runs.resume(run.id)
    while not run.status.over:  # another process may train it
        time.sleep(_POLL_SECONDS)
        run = rt.runs.get(run.id)
    if run.status is not RunStatus.SUCCEEDED:
        raise JobFailed(f"{run.id} is {run.status}: {run.message} {_CONTINUE}")
    return run


def _evaluate(rt: Pipeline, run: Run) -> None:
    rt.evaluations.start(run.id)
    rt.queue.wait()
    for ended in rt.evaluations.records(run.id):
        if ended.status is not RunStatus.SUCCEEDED:
            raise JobFailed(f"{ended.id} is {ended.status}: {ended.message} {_CONTINUE}")
