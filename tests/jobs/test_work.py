"""What is queued is data: a job done from its JSON, with its news sent as JSON, ends as one done in place."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import Conflict
from tunixrt_core.evaluation.questions.execution import LoadedModels
from tunixrt_core.evaluation.questions.question import Question
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.jobs.kinds.workplace import Workplace
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.spec import Executor, JobSpec, Tell
from tunixrt_core.jobs.work import run_job
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import open_store
from tunixrt_core.training.stop import StopRequest

OWNER = "pid:4711:123:another-boot:another-machine"


class ByJson(Executor):
    """An executor that is told jobs as text, as one in another process is, and does two at a time."""

    at_once = 2

    def __init__(self, backend: FakeBackend) -> None:
        self._place = Workplace(backend, LoadedModels(backend), owner=OWNER)
        self.kinds: list[str] = []

    def takes_accelerator(self, spec: JobSpec) -> bool:
        return False

    def run(self, spec: JobSpec, *, stop: StopRequest, tell: Tell) -> None:
        def send(news: Mapping[str, Any]) -> None:
            tell(orjson.loads(orjson.dumps(news)))

        read = JobSpec.from_json(spec.to_json())
        self.kinds.append(read.kind)
        run_job(read, self._place, stop=stop, tell=send)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def executor(backend: FakeBackend) -> ByJson:
    return ByJson(backend)


@pytest.fixture
def rt(tmp_path: Path, backend: FakeBackend, executor: ByJson) -> Iterator[Pipeline]:
    environ = {"TUNIXRT_HOME": str(tmp_path / "home"), "TUNIXRT_ALLOW": str(tmp_path)}
    settings = Settings.from_env(environ)
    store = open_store(settings.database_url)
    with Pipeline(settings, store, JobManager(store.runs, backend, elsewhere=lambda here: executor)) as pipeline:
        yield pipeline


def test_each_kind_of_job_is_done_from_its_json(
    rt: Pipeline, tmp_path: Path, backend: FakeBackend, executor: ByJson
) -> None:
    manifest = make_manifest(tmp_path, train_steps=6)
    run = rt.runs.start(manifest)
    assert rt.queue.wait(20)
    assert (rt.runs.get(run.id).status, rt.runs.state(run.id).owner) == (RunStatus.SUCCEEDED, OWNER)
    evaluated = rt.evaluations.start(run.id, request=EvalRequest(limit=2))
    exported = rt.model_exports.start(run.id)
    tried = rt.manifests.start_dry_run(manifest)
    assert rt.queue.wait(20)
    assert [rt.evaluations.get(each.id).record.status for each in evaluated] == [RunStatus.SUCCEEDED] * 3
    assert rt.evaluations.get(evaluated[1].id).state.owner == OWNER
    assert rt.model_exports.get(exported.id).report == rt.model_exports.of_run(run.id)[0].report
    report = rt.manifests.dry_run(tried.id).report
    assert report is not None
    assert report.generated == "so"
    scored = rt.evaluations.score_again(evaluated[0].id)
    assert rt.queue.wait(20)
    asked = rt.playground.ask(Question(run_id=run.id, prompt="Task 4:"))
    assert rt.queue.wait(20)
    assert rt.evaluations.get(scored.id).record.status is RunStatus.SUCCEEDED
    answered = rt.playground.get(asked.id)
    assert (answered.status, [each.answer for each in answered.answers]) == (RunStatus.SUCCEEDED, ["wrong", "4"])
    assert set(executor.kinds) == {"train", "evaluate", "export", "dry run", "playground"}


def test_an_executor_with_room_for_two_does_two_at_once(rt: Pipeline, tmp_path: Path, backend: FakeBackend) -> None:
    backend.step_seconds = 0.01
    manifest = make_manifest(tmp_path, train_steps=10_000)
    runs = [rt.runs.start(manifest.model_copy(update={"output_dir": str(tmp_path / name)})) for name in "abc"]
    folders = [rt.runs.folder(run.id) for run in runs]
    reached = threading.Event()
    while not (folders[0].metrics()[0] and folders[1].metrics()[0]):
        reached.wait(0.01)
    assert [job.run for job in rt.queue.state().waiting] == [runs[2].id]
    for run in runs[:2]:
        rt.runs.stop(run.id)
    while not folders[2].metrics()[0]:
        reached.wait(0.01)
    rt.runs.stop(runs[2].id)
    assert rt.queue.wait(20)
    assert {rt.runs.get(run.id).status for run in runs} == {RunStatus.STOPPED}


def test_an_evaluation_of_a_run_that_was_trained_since_is_refused(
    rt: Pipeline, tmp_path: Path, backend: FakeBackend
) -> None:
    run = rt.runs.start(make_manifest(tmp_path, train_steps=6))
    assert rt.queue.wait(20)
    told: list[JobSpec] = []

    class Kept(Executor):
        def run(self, spec: JobSpec, *, stop: StopRequest, tell: Tell) -> None:
            told.append(spec)

    rt.jobs = JobManager(rt.store.runs, backend, elsewhere=lambda here: Kept())
    rt.evaluations.start(run.id, ["tuned"])
    assert rt.jobs.wait(20)
    folder = rt.runs.folder(run.id)
    (folder.checkpoints / "7").mkdir()
    with pytest.raises(Conflict, match="was trained, or its eval rows changed, since it was queued"):
        run_job(told[0], Workplace(backend, LoadedModels(backend)), stop=StopRequest(), tell=lambda news: None)


def test_a_text_that_is_no_job_is_refused() -> None:
    with pytest.raises(ValueError, match="cook"):
        JobSpec.from_json(b'{"id": "a", "run": "a", "kind": "cook"}')
