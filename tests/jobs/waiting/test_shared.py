"""Servers that share a home and a PostgreSQL store share its queue: each job is done once, also when its server dies.

Needs a server in POSTGRES_TEST_URL: `.ci/with-postgres pytest tests/jobs/waiting -k postgres`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.helpers.fakes import FakeBackend
from tests.store.conftest import empty_server, needs_server
from tests.store.records.test_jobs import DEAD
from tunixrt_core.errors import Conflict
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.spec import JobSpec
from tunixrt_core.pipeline.pipeline import Pipeline, shared_queue
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import TrainMetric
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import open_store
from tunixrt_core.util import owners

pytestmark = needs_server


def server_of(home: Path, url: str, backend: FakeBackend) -> Pipeline:
    """A server of a shared home, real but for the trainer; it looks at the shared queue every 0.2 s."""
    owners.BEAT_SECONDS = 0.2
    settings = Settings.from_env({"TUNIXRT_HOME": str(home), "TUNIXRT_DATABASE_URL": url})
    store = open_store(settings.database_url)
    pipeline = Pipeline(
        settings, store, JobManager(store.runs, backend, shared=shared_queue(settings, store, serves=True))
    )
    pipeline.queue_again()
    return pipeline


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(owners, "BEAT_SECONDS", owners.BEAT_SECONDS)  # put back at the end
    return empty_server()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


Another = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def another() -> Iterator[Another]:
    """Starts a server in a process of its own, as of `serve`; ended with the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(home: Path, url: str, *, begin: str = "") -> subprocess.Popen[bytes]:
        script = f"from tests.jobs.waiting.test_shared import *; serve(Path({str(home)!r}), {url!r}, begin={begin!r})"
        begun.append(subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdin=subprocess.PIPE))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait(30)


@pytest.fixture
def first(home: Path, url: str) -> Iterator[Pipeline]:
    with server_of(home, url, FakeBackend(step_seconds=0.01)) as opened:
        yield opened


def until(done: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def queue_run(rt: Pipeline, train_steps: int) -> str:
    manifest = rt.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": train_steps})
    return rt.runs.start(manifest).id


def fill(rt: Pipeline) -> None:
    rt.traces.ingest_examples(20)
    rt.datasets.build("mine")


def steps_of(folder: RunDir) -> list[int]:
    return [one.train_step for one in folder.metrics()[0] if isinstance(one, TrainMetric)]


def test_postgresql_a_free_server_does_what_waits_at_a_busy_one(
    first: Pipeline, another: Another, home: Path, url: str
) -> None:
    fill(first)
    long, waits = queue_run(first, 3_000), queue_run(first, 5)
    other = another(home, url)
    until(lambda: first.runs.get(waits).status is RunStatus.SUCCEEDED)
    assert first.runs.get(long).status is RunStatus.RUNNING
    until(lambda: first.queue.state().waiting == ())
    other.communicate(b"\n", timeout=30)
    first.runs.stop(long)
    assert first.queue.wait(30)
    assert first.runs.get(long).status is RunStatus.STOPPED
    assert steps_of(first.runs.folder(waits)) == list(range(1, 6))
    until(lambda: first.store.jobs.known(shared_home(first)) == set())


def test_postgresql_a_run_that_waits_at_another_server_is_shown_and_stopped_here(
    first: Pipeline, another: Another, home: Path, url: str
) -> None:
    fill(first)
    own = queue_run(first, 3_000)  # this server is busy, so that it takes none
    other = another(home, url, begin="train")
    until(lambda: [job.id for job in first.queue.state().waiting] == ["r-0003"])
    assert first.runs.stop("r-0003").status is RunStatus.STOPPED
    until(lambda: first.queue.state().waiting == ())
    until(lambda: first.runs.get("r-0002").status is RunStatus.SUCCEEDED)
    other.communicate(b"\n", timeout=30)
    assert first.runs.get("r-0003").status is RunStatus.STOPPED
    assert not steps_of(first.runs.folder("r-0003"))
    assert first.runs.stop(own).id == "r-0001"


def test_postgresql_the_run_of_a_killed_server_goes_on_from_its_checkpoint_and_ends_once(
    another: Another, home: Path, url: str
) -> None:
    killed = another(home, url, begin="train")
    running, waiting = RunDir(home / "runs" / "r-0001"), RunDir(home / "runs" / "r-0002")
    until(lambda: waiting.state_file.exists() and running.state_file.exists() and len(steps_of(running)) > 20)
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    done = len(steps_of(running))
    with server_of(home, url, backend := FakeBackend(step_seconds=0.001)) as survivor:
        until(lambda: {run.status for run in survivor.runs.page().items} == {RunStatus.SUCCEEDED})
        assert sorted(backend.trained) == ["r-0001", "r-0002"]
        until(lambda: survivor.store.jobs.known(shared_home(survivor)) == set())
    assert done < 300
    assert steps_of(running) == list(range(1, 301)), "no train step twice, none left out"
    assert "shows no sign of life. It is resumed from its last checkpoint." in running.log_file.read_text()
    assert steps_of(waiting) == list(range(1, 11))


def test_postgresql_what_waits_at_a_server_that_is_told_to_end_waits_on_at_a_busy_one(
    first: Pipeline, another: Another, home: Path, url: str
) -> None:
    fill(first)
    own = queue_run(first, 3_000)
    other = another(home, url, begin="train")
    until(lambda: [job.id for job in first.queue.state().waiting] == ["r-0003"])
    assert not first.queue.state().waiting[0].here
    with pytest.raises(Conflict, match="waits at another server of this home"):
        first.queue.move("r-0003", 1)
    other.communicate(b"\n", timeout=60)
    assert first.runs.get("r-0002").status is RunStatus.STOPPED
    until(lambda: [(job.id, job.here) for job in first.queue.state().waiting] == [("r-0003", True)])
    assert first.runs.get("r-0003").status is RunStatus.QUEUED
    first.queue.move("r-0003", 1)
    first.runs.stop(own)
    assert first.queue.wait(30)
    assert first.runs.get("r-0003").status is RunStatus.SUCCEEDED
    until(lambda: first.store.jobs.known(shared_home(first)) == set())


def test_postgresql_a_run_whose_folder_is_not_reachable_is_left_to_others_and_that_is_said(
    first: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    fill(first)
    queue_run(first, 1)
    assert first.queue.wait(30)
    body = {"manifest": first.runs.manifest("r-0001").to_dict(), "folder": "/nowhere/r-0009", "allow": []}
    spec = JobSpec("r-0009", "r-0009", "train", body, 1)
    first.store.jobs.add(spec.id, shared_home(first), spec.to_json().decode())
    until(lambda: "r-0009 is left to other servers, as this one cannot use its folder" in caplog.text)
    assert first.store.jobs.known(shared_home(first)) == {"r-0009"}


def test_postgresql_a_run_that_ended_with_its_server_is_not_done_again(first: Pipeline) -> None:
    fill(first)
    queue_run(first, 3)
    assert first.queue.wait(30)
    folder = first.runs.folder("r-0001")
    ended = folder.state_file.read_bytes()
    body = {"manifest": first.runs.manifest("r-0001").to_dict(), "folder": str(folder.path), "allow": []}
    spec = JobSpec("r-0001", "r-0001", "train", body, 1).to_json().decode()
    first.store.jobs.add("r-0001", shared_home(first), spec)
    first.store.jobs.claim("r-0001", DEAD, spec)
    until(lambda: first.store.jobs.known(shared_home(first)) == set())
    assert folder.state_file.read_bytes() == ended


def test_postgresql_an_evaluation_that_waits_at_a_killed_server_is_made(another: Another, home: Path, url: str) -> None:
    killed = another(home, url, begin="evaluate")
    # the second one is queued when the first one is recorded
    until(lambda: len(list((home / "runs" / "r-0001" / "evals").glob("*/queued.json"))) == 2)
    killed.kill()
    killed.wait(30)
    with server_of(home, url, FakeBackend(step_seconds=0.001)) as survivor:
        until(lambda: {one.status for one in survivor.evaluations.records()} == {RunStatus.SUCCEEDED})
        until(lambda: survivor.store.jobs.known(shared_home(survivor)) == set())
        assert all(one.metrics["exact_match"] is not None for one in survivor.evaluations.records())


def shared_home(rt: Pipeline) -> str:
    return (rt.settings.home / "id").read_text()


def serve(home: Path, url: str, *, begin: str = "") -> None:
    """A server in a process of its own, until a line on its standard input. `begin`: what it has to do, a long run
    first, which something waits for.
    """
    with server_of(home, url, FakeBackend(step_seconds=0.01 if begin else 0.001)) as rt:
        if begin:
            fill(rt)
        if begin == "evaluate":
            first = queue_run(rt, 1)
            assert rt.queue.wait(30)
        if begin:
            queue_run(rt, 300)
        if begin == "train":
            queue_run(rt, 10)
        elif begin:
            rt.evaluations.start(first)
        sys.stdin.readline()
