"""A job whose worker is lost continues with another one, says so, and is given up after several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import empty_home
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import Stopped
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.jobs.kinds.trainings import training
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.spec import Executor, JobSpec, Tell, WorkerLost
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.store.store import open_store
from tunixrt_core.training.stop import StopRequest


class Loses(Executor):
    """Does jobs here, but loses the workers of the next `losses` ones."""

    def __init__(self, here: Executor) -> None:
        self._here = here
        self.losses = 0
        self.stopped = False
        self.attempts: list[int] = []
        self.specs: list[JobSpec] = []  # that a server before this one has left

    def left(self) -> list[JobSpec]:
        return self.specs

    def run(self, spec: JobSpec, *, stop: StopRequest, tell: Tell) -> None:
        self.attempts.append(spec.attempt)
        if self.stopped:
            raise Stopped("Stopped before a worker had begun.")
        if self.losses:
            self.losses -= 1
            raise WorkerLost("Its worker was lost.")
        self._here.run(spec, stop=stop, tell=tell)


@pytest.fixture
def made() -> list[Loses]:
    return []


@pytest.fixture
def rt(tmp_path: Path, made: list[Loses]) -> Iterator[Pipeline]:
    settings = empty_home(tmp_path / "home", TUNIXRT_ALLOW=str(tmp_path))
    store = open_store(settings.database_url)

    def elsewhere(here: Executor) -> Executor:
        made.append(Loses(here))
        return made[0]

    with Pipeline(settings, store, JobManager(store.runs, FakeBackend(), elsewhere=elsewhere)) as pipeline:
        yield pipeline


@pytest.fixture
def run(rt: Pipeline, tmp_path: Path) -> Run:
    started = rt.runs.start(make_manifest(tmp_path, train_steps=6))
    assert rt.queue.wait(20)
    return started


def test_a_training_continues_as_the_next_attempt_and_its_log_says_why(
    rt: Pipeline, run: Run, made: list[Loses]
) -> None:
    made[0].losses = 2
    rt.runs.resume(run.id, train_steps=9)
    assert rt.queue.wait(20)
    state = rt.runs.state(run.id)
    assert (rt.runs.get(run.id).status, state.train_step, state.attempt) == (RunStatus.SUCCEEDED, 9, 4)
    assert made[0].attempts == [1, 2, 3, 4]
    said = "Its worker was lost. It is resumed from its last checkpoint."
    assert rt.runs.folder(run.id).log_tail().count(said) == 2


def test_a_training_that_loses_worker_after_worker_is_interrupted_and_can_be_resumed(
    rt: Pipeline, run: Run, made: list[Loses], tmp_path: Path
) -> None:
    made[0].losses = 4
    lost = rt.runs.start(make_manifest(tmp_path, train_steps=6).model_copy(update={"output_dir": str(tmp_path / "b")}))
    assert rt.queue.wait(20)
    found = rt.runs.get(lost.id)
    assert (found.status, found.message) == (
        RunStatus.INTERRUPTED,
        "Its worker was lost. It is given up; resume continues from the last checkpoint.",
    )
    assert "It is not resumed again." in rt.runs.folder(lost.id).log_tail()
    rt.runs.resume(lost.id)
    assert rt.queue.wait(20)
    assert rt.runs.get(lost.id).status is RunStatus.SUCCEEDED


def test_a_resume_that_loses_every_worker_leaves_the_run_as_it_was(rt: Pipeline, run: Run, made: list[Loses]) -> None:
    made[0].losses = 4
    before = rt.runs.state(run.id)
    rt.runs.resume(run.id, train_steps=9)
    assert rt.queue.wait(20)
    state = rt.runs.state(run.id)
    assert (state.status, state.train_step, state.refused) == (before.status, 6, "Its worker was lost.")


def test_an_evaluation_and_an_export_end_with_another_worker(rt: Pipeline, run: Run, made: list[Loses]) -> None:
    made[0].losses = 1
    (evaluated,) = rt.evaluations.start(run.id, ["tuned"], EvalRequest(limit=2))
    assert rt.queue.wait(20)
    view = rt.evaluations.get(evaluated.id)
    assert (view.record.status, view.state.attempt, len(view.predictions)) == (RunStatus.SUCCEEDED, 2, 2)
    made[0].losses = 1
    exported = rt.model_exports.start(run.id)
    assert rt.queue.wait(20)
    assert rt.model_exports.get(exported.id).status is RunStatus.SUCCEEDED


def test_one_that_is_given_up_says_why(rt: Pipeline, run: Run, made: list[Loses]) -> None:
    made[0].losses = 8
    (evaluated,) = rt.evaluations.start(run.id, ["tuned"], EvalRequest(limit=2))
    exported = rt.model_exports.start(run.id)
    assert rt.queue.wait(20)
    record = rt.evaluations.get(evaluated.id).record
    assert record.status is RunStatus.INTERRUPTED
    assert record.message == "Its worker was lost. Its process ended; evaluate again to resume."
    state = rt.model_exports.get(exported.id)
    assert (state.status, state.message) == (RunStatus.FAILED, "Its worker was lost.")


def test_one_that_is_stopped_while_it_waits_for_a_worker_has_not_begun(
    rt: Pipeline, run: Run, made: list[Loses]
) -> None:
    made[0].stopped = True
    rt.runs.resume(run.id, train_steps=9)
    assert rt.queue.wait(20)
    state = rt.runs.state(run.id)
    assert (state.status, state.refused) == (RunStatus.SUCCEEDED, "The resume left the queue before it began.")


def test_what_the_last_server_left_to_a_worker_is_followed_and_not_queued_twice(
    rt: Pipeline, run: Run, made: list[Loses], tmp_path: Path
) -> None:
    folder = rt.runs.folder(run.id)
    manifest = rt.runs.manifest(run.id)
    made[0].specs.append(training(run.id, manifest, folder))
    folder.write_state(replace(folder.state(), owner="999999999:1:gone"))
    made[0].attempts.clear()
    assert rt.queue_again() == []
    assert rt.queue.wait(20)
    assert made[0].attempts == [2]
    assert rt.runs.get(run.id).status is RunStatus.SUCCEEDED
