"""How many processes train a run goes with it from its start over its queue to its resume."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import empty_home, fake_home
from tests.helpers.makers import Records, make_manifest
from tunixrt_core.errors import InvalidInput, JobFailed, RequestReused
from tunixrt_core.jobs.kinds.trainings import Trainings, show_waiting, training
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.spec import Executor, JobSpec, Tell
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.store.store import open_store
from tunixrt_core.training.stop import StopRequest

SAID = "Process 1 of 2 failed: the model is missing."


class Several(Executor):
    """Does jobs here and writes down how many processes they ask for; of `fails` the first one could not say why."""

    several = True

    def __init__(self, here: Executor) -> None:
        self._here = here
        self.asked: list[int] = []
        self.fails = False

    def processes(self, asked: int | None) -> int:
        return asked or 1

    def run(self, spec: JobSpec, *, stop: StopRequest, tell: Tell) -> None:
        self.asked.append(spec.processes)
        if self.fails:
            tell({"waits": "It waits for 2 machines."})
            tell({"waits": "It waits for 2 machines."})
            folder = RunDir(Path(spec.body["folder"]))
            folder.write_state(replace(folder.state(), status=RunStatus.RUNNING))
            raise JobFailed(SAID)
        self._here.run(spec, stop=stop, tell=tell)


@pytest.fixture
def executors() -> list[Several]:
    return []


@pytest.fixture
def rt(tmp_path: Path, executors: list[Several]) -> Iterator[Pipeline]:
    settings = empty_home(tmp_path / "home", TUNIXRT_ALLOW=str(tmp_path))
    store = open_store(settings.database_url)

    def elsewhere(here: Executor) -> Executor:
        executors.append(Several(here))
        return executors[0]

    with Pipeline(settings, store, JobManager(store.runs, FakeBackend(), elsewhere=elsewhere)) as pipeline:
        yield pipeline


def test_a_run_keeps_its_number_of_processes_and_a_resume_may_take_another(
    rt: Pipeline, tmp_path: Path, executors: list[Several]
) -> None:
    manifest = make_manifest(tmp_path, train_steps=4)
    run = rt.runs.start(manifest, processes=2, request_id="once")
    assert rt.queue.wait(20)
    assert rt.runs.start(manifest, processes=2, request_id="once").id == run.id
    with pytest.raises(RequestReused):
        rt.runs.start(manifest, processes=4, request_id="once")
    with pytest.raises(InvalidInput, match=r"^processes: 3, over which 32 rows per batch do not divide"):
        rt.runs.start(manifest, processes=3)
    with pytest.raises(InvalidInput, match=r"^processes: 5"):
        rt.runs.resume(run.id, train_steps=6, processes=5)
    assert rt.runs.state(run.id).processes == 2
    rt.runs.resume(run.id, train_steps=6)
    assert rt.queue.wait(20)
    rt.runs.resume(run.id, train_steps=8, processes=1)
    assert rt.queue.wait(20)
    assert (rt.runs.state(run.id).processes, executors[0].asked) == (1, [2, 2, 1])


def test_a_server_that_queues_it_again_asks_for_as_many(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, train_steps=4)
    folder = RunDir(tmp_path / "run")
    show_waiting(manifest, folder, processes=3)
    assert json.loads(folder.queued_file.read_text())["processes"] == 3
    spec = training("r-0001", manifest, folder, processes=3)
    assert (spec.processes, folder.state().processes, spec.attempt) == (3, 3, 1)
    assert JobSpec.from_json(spec.to_json()).processes == 3
    lost = Trainings(Records()).lost(spec, "Its worker was lost.", again=True)
    assert lost is not None
    assert (lost.processes, lost.attempt) == (3, 2)


def test_a_stop_of_its_last_training_does_not_cancel_the_next_one(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    folder.create()
    folder.stop_file.touch()
    show_waiting(make_manifest(tmp_path, train_steps=4), folder, processes=2)
    assert not folder.stop_file.exists()


def test_this_process_trains_alone_and_says_what_several_need(tmp_path: Path) -> None:
    with fake_home(tmp_path / "home", TUNIXRT_ALLOW=str(tmp_path)) as alone:
        with pytest.raises(InvalidInput, match=r"^processes: 2, and this server trains in one.*TUNIXRT_EXECUTOR"):
            alone.runs.start(make_manifest(tmp_path, train_steps=4), processes=2)
        assert not alone.runs.page().items
        assert not alone.queue.several()
        alone.runs.start(make_manifest(tmp_path, train_steps=4), processes=1)
        assert alone.queue.wait(20)


@pytest.mark.parametrize("resumes", [False, True])
def test_why_it_waits_is_its_message_and_what_the_first_process_could_not_record_its_end(
    rt: Pipeline, tmp_path: Path, executors: list[Several], resumes: bool
) -> None:
    manifest = make_manifest(tmp_path, train_steps=4)
    if resumes:
        run = rt.runs.start(manifest, processes=2)
        assert rt.queue.wait(20)
        executors[0].fails = True
        rt.runs.resume(run.id, train_steps=6)
    else:
        assert rt.queue.several()
        executors[0].fails = True
        run = rt.runs.start(manifest, processes=2)
    assert rt.queue.wait(20)
    folder = rt.runs.folder(run.id)
    assert folder.log_tail().count("It waits for 2 machines.") == 1
    state = rt.runs.state(run.id)
    if resumes:
        assert (state.status, state.refused) == (RunStatus.SUCCEEDED, SAID)
    else:
        assert (state.status, state.message) == (RunStatus.FAILED, SAID)
        assert rt.runs.get(run.id).message == SAID
    assert SAID in folder.log_tail()
