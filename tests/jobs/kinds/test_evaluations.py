"""Evaluations wait in the one queue, follow their folder, and are queued once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import fake_home
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import Conflict, InvalidEvaluation, ShuttingDown, StoreError
from tunixrt_core.evaluation.folder import EvalDir, EvalState
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.util.owners import this_owner


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def rt(tmp_path: Path, backend: FakeBackend) -> Iterator[Pipeline]:
    with fake_home(tmp_path / "home", backend, TUNIXRT_ALLOW=str(tmp_path)) as pipeline:
        yield pipeline


@pytest.fixture
def run(rt: Pipeline, tmp_path: Path) -> Run:
    made = rt.runs.start(make_manifest(tmp_path, train_steps=6))
    assert rt.queue.wait(20)
    return made


def hold_the_queue(rt: Pipeline, backend: FakeBackend, tmp_path: Path) -> Run:
    """A run that continues until it is stopped."""
    backend.step_seconds = 0.02
    manifest = make_manifest(tmp_path, train_steps=5000)
    return rt.runs.start(manifest.model_copy(update={"output_dir": str(tmp_path / "busy")}))


def test_an_evaluation_waits_for_its_turn_and_its_row_follows_it(rt: Pipeline, run: Run) -> None:
    (record,) = rt.evaluations.start(run.id, ["tuned"])
    assert record.status is RunStatus.QUEUED
    assert rt.queue.wait(20)
    (done,) = rt.evaluations.records(run.id)
    assert (done.status, done.metrics["exact_match"], done.train_step) == (RunStatus.SUCCEEDED, 1.0, 6)
    view = rt.evaluations.get(record.id)
    assert (view.state.done, view.state.total, len(view.predictions)) == (3, 3, 3)
    assert done.ended_at is not None


def test_what_is_done_is_not_queued_again_unless_it_is_asked_for(rt: Pipeline, run: Run, backend: FakeBackend) -> None:
    first = rt.evaluations.start(run.id, ["tuned"])
    assert rt.queue.wait(20)
    done = rt.evaluations.start(run.id, ["tuned"])
    assert [(r.id, r.status) for r in done] == [(first[0].id, RunStatus.SUCCEEDED)]
    backend.right = False
    again = rt.evaluations.start(run.id, ["tuned"], again=True)
    assert again[0].id == first[0].id
    assert rt.queue.wait(20)
    assert rt.evaluations.get(first[0].id).record.metrics["exact_match"] == 0.0


def test_other_questions_are_other_evaluations(rt: Pipeline, run: Run) -> None:
    rt.evaluations.start(run.id, ["tuned"])
    rt.evaluations.start(run.id, ["tuned"], EvalRequest(limit=2))
    assert rt.queue.wait(20)
    assert sorted(r.metrics["rows"] for r in rt.evaluations.records(run.id)) == [2, 3]


def test_one_that_waits_can_be_stopped_alone_and_begun_again(
    rt: Pipeline, run: Run, backend: FakeBackend, tmp_path: Path
) -> None:
    busy = hold_the_queue(rt, backend, tmp_path)
    base, tuned, own = rt.evaluations.start(run.id)
    assert rt.evaluations.stop(base.id).status is RunStatus.STOPPED
    with pytest.raises(Conflict, match="nothing to stop"):
        rt.evaluations.stop(base.id)
    assert rt.evaluations.start(run.id, ["base"])[0].status is RunStatus.QUEUED
    rt.runs.stop(busy.id)
    assert rt.queue.wait(20)
    assert {rt.evaluations.get(r.id).record.status for r in (base, tuned, own)} == {RunStatus.SUCCEEDED}


def test_one_that_another_process_runs_is_asked_by_its_stop_file(rt: Pipeline, run: Run) -> None:
    (record,) = rt.evaluations.start(run.id, ["tuned"])
    assert rt.queue.wait(20)
    EvalDir.of(record).write_state(EvalState(status=RunStatus.RUNNING, owner=this_owner()))
    rt.evaluations.stop(record.id)
    assert EvalDir.of(record).stop_file.exists()


def test_a_finished_one_stays_finished_where_it_is_not_answered_again(
    rt: Pipeline, run: Run, backend: FakeBackend, tmp_path: Path
) -> None:
    (record,) = rt.evaluations.start(run.id, ["tuned"])
    assert rt.queue.wait(20)
    busy = hold_the_queue(rt, backend, tmp_path)
    rt.evaluations.start(run.id, ["tuned"], again=True)
    stopped = rt.evaluations.stop(record.id)
    assert (stopped.status, stopped.metrics["exact_match"]) == (RunStatus.SUCCEEDED, 1.0)
    rt.runs.stop(busy.id)

    def gone() -> None:
        raise InvalidEvaluation("The model forgot how to speak.")

    backend.load_generator = gone  # type: ignore[assignment, method-assign]
    rt.evaluations.start(run.id, ["tuned"], again=True)
    assert rt.queue.wait(20)
    found = rt.evaluations.get(record.id)
    assert (found.record.status, found.record.metrics["exact_match"]) == (RunStatus.SUCCEEDED, 1.0)
    assert found.record.message.endswith("the earlier answers are kept: The model forgot how to speak.")
    assert len(found.predictions) == 3


def test_a_failure_is_told_as_a_sentence(rt: Pipeline, run: Run, backend: FakeBackend) -> None:
    def gone() -> None:
        raise InvalidEvaluation("The model forgot how to speak.")

    backend.load_generator = gone  # type: ignore[assignment, method-assign]
    (record,) = rt.evaluations.start(run.id, ["tuned"])
    assert rt.queue.wait(20)
    found = rt.evaluations.get(record.id).record
    assert (found.status, found.message) == (RunStatus.FAILED, "The model forgot how to speak.")


def test_a_database_that_is_busy_does_not_end_an_evaluation(
    rt: Pipeline, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise StoreError("The database has been busy for 60 s with another import.")

    with monkeypatch.context() as patched:
        patched.setattr(rt.store.evals, "mirror", busy)
        (record,) = rt.evaluations.start(run.id, ["tuned"])
        assert rt.queue.wait(20)
    assert rt.evaluations.get(record.id).record.status is RunStatus.SUCCEEDED


def test_a_base_that_answers_in_its_own_prompt_stands_beside_the_comparison(
    rt: Pipeline, run: Run, backend: FakeBackend
) -> None:
    base, tuned, own = rt.evaluations.start(run.id)
    assert rt.queue.wait(20)
    assert [(r.side, r.prompt) for r in (base, tuned, own)] == [("base", "run"), ("tuned", "run"), ("base_own", "own")]
    for found in (rt.evaluations.comparison(run.id), rt.evaluations.compare(base.id, tuned.id)):
        assert found is not None
        assert found.own_gain is not None
        assert (found.own_gain.rows, found.own_gain.fixed, found.own_gain.own) == (3, 3, 0.0)
    assert rt.evaluations.compare(tuned.id, base.id).own_gain is None
    entries = [entry for board in rt.evaluations.leaderboard("flexible_match").boards for entry in board.entries]
    notes = {entry.eval_id: entry.notes for entry in entries}
    assert notes == {base.id: (), tuned.id: (), own.id: ("prompt: the model's own, others the run's",)}


def test_the_answers_of_a_base_in_its_own_prompt_are_used_again(rt: Pipeline, run: Run, backend: FakeBackend) -> None:
    first = rt.evaluations.start(run.id, ["base"])
    assert rt.queue.wait(20)
    backend.load_generator = None  # type: ignore[assignment, method-assign]
    again = rt.evaluations.start(run.id, ["base"])
    assert [(r.id, r.status) for r in again] == [(r.id, RunStatus.SUCCEEDED) for r in first]


def test_base_and_tuned_are_compared_where_they_were_asked_the_same(rt: Pipeline, run: Run) -> None:
    rt.evaluations.start(run.id, ["base"], EvalRequest(limit=2))
    rt.evaluations.start(run.id, ["tuned"])
    assert rt.queue.wait(20)
    assert rt.evaluations.comparison(run.id) is None
    rt.evaluations.start(run.id, ["base"])
    assert rt.queue.wait(20)
    found = rt.evaluations.comparison(run.id)
    assert found is not None
    assert (found.fixed, found.broken, found.rows) == (3, 0, 3)
    ids = {r.target: r.id for r in reversed(rt.evaluations.records(run.id))}
    assert rt.evaluations.compare(ids["tuned"], ids["base"]).broken == 3


def test_one_that_cannot_be_queued_does_not_seem_to_wait(rt: Pipeline, run: Run) -> None:
    (done,) = rt.evaluations.start(run.id, ["tuned"])
    assert rt.queue.wait(20)
    rt.jobs.close()
    for start in (lambda: rt.evaluations.start(run.id, ["base"]), lambda: rt.evaluations.score_again(done.id)):
        with pytest.raises(ShuttingDown):
            start()
    found = {record.target: record.status for record in rt.evaluations.records(run.id)}
    assert found == {"base": RunStatus.STOPPED, "tuned": RunStatus.SUCCEEDED}
    assert not list(rt.runs.folder(run.id).evals.glob("*/queued.json"))


def test_one_whose_folder_disappears_while_it_waits_does_not_seem_to_wait(
    rt: Pipeline, run: Run, backend: FakeBackend, tmp_path: Path
) -> None:
    hold_the_queue(rt, backend, tmp_path)
    (waiting,) = rt.evaluations.start(run.id, ["tuned"])
    shutil.rmtree(waiting.directory)
    (found,) = rt.evaluations.records(run.id)
    assert found.status is RunStatus.INTERRUPTED
    assert found.message.startswith("Its folder is gone")
