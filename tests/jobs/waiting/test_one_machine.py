"""Several servers of one home on one machine: one does the jobs, the others hand theirs to it and take over from it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import empty_home
from tunixrt_core.errors import Conflict, StoreError
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.waiting.one_machine import FileJobs, WorkerLock
from tunixrt_core.pipeline.pipeline import Pipeline, shared_queue
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import TrainMetric
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.store.store import open_store
from tunixrt_core.util import owners

ME = owners.this_owner()
OTHER = ME.replace(f":{owners.local_pid(ME)}:", ":1:", 1)  # the first process of the machine, with another start
DEAD = ME.replace(f":{owners.local_pid(ME)}:", ":999999:", 1)


@pytest.fixture
def jobs(tmp_path: Path) -> FileJobs:
    return FileJobs(tmp_path / "home" / "queue.json")


def test_a_job_is_claimed_once_and_forgotten_by_its_owner_alone(jobs: FileJobs) -> None:
    jobs.add("r-0001", "", "spec")
    assert jobs.waiting("") == {"r-0001": "spec"}
    assert not jobs.claim("r-0001", OTHER, "what it was to do before another server took it")
    assert jobs.claim("r-0001", OTHER, "spec")
    assert jobs.claim("r-0001", OTHER, "spec"), "by who has it already"
    assert not jobs.claim("r-0001", ME, "spec")
    assert not jobs.claim("none", ME, "spec")
    assert jobs.waiting("") == {}
    jobs.let_wait("r-0001", ME, "not theirs")
    jobs.end("r-0001", ME)
    assert jobs.known("") == {"r-0001"}
    jobs.end("r-0001", OTHER)
    assert jobs.known("") == set()


def test_jobs_are_taken_in_their_order_and_given_back(jobs: FileJobs) -> None:
    for name in ("r-0002", "r-0001"):
        jobs.add(name, "", f"spec of {name}")
    taken = jobs.take("", ME)
    assert taken is not None
    assert (taken.id, taken.spec, taken.losses, taken.lost) == ("r-0002", "spec of r-0002", 0, None)
    jobs.give_back(taken)
    assert list(jobs.waiting("")) == ["r-0002", "r-0001"]
    second = jobs.take("", ME, but={"r-0002"})
    assert second is not None
    assert second.id == "r-0001"


def test_a_job_that_goes_to_another_server_waits_all_the_time(jobs: FileJobs) -> None:
    for name in ("r-0001", "r-0002", "r-0003"):
        jobs.add(name, "", "spec")
    assert jobs.take("", OTHER) is not None
    assert list(jobs.waiting("")) == ["r-0001", "r-0002", "r-0003"]
    assert not jobs.claim("r-0001", ME, "spec")
    jobs.let_wait("r-0001", OTHER, "its next attempt")
    assert jobs.waiting("")["r-0001"] == "its next attempt"
    jobs.arrange(["r-0003", "none", "r-0001"])
    assert list(jobs.waiting("")) == ["r-0003", "r-0001", "r-0002"]


def test_the_job_of_a_dead_process_is_taken_at_once_and_counted(jobs: FileJobs) -> None:
    jobs.add("r-0001", "", "spec")
    assert jobs.claim("r-0001", DEAD, "spec")
    taken = jobs.take("", ME)
    assert taken is not None
    assert (taken.losses, taken.lost) == (1, DEAD)
    assert jobs.take("", ME) is None
    jobs.forget(lambda spec: True)
    assert jobs.known("") == {"r-0001"}, "its owner is alive"
    jobs.give_back(taken)
    assert jobs.waiting("") == {}, "it was begun"


def test_what_dead_servers_left_is_forgotten_and_what_waits_for_a_living_one_stays(jobs: FileJobs) -> None:
    for name in ("r-0001", "r-0002", "r-0003"):
        jobs.add(name, "", name)
    assert jobs.claim("r-0001", DEAD, "r-0001")
    jobs.forget(lambda spec: spec == "r-0002")
    assert jobs.known("") == {"r-0003"}


def test_a_file_that_cannot_be_read_is_an_empty_queue_and_one_that_cannot_be_written_an_error(tmp_path: Path) -> None:
    file = tmp_path / "queue.json"
    file.write_text("{")
    jobs = FileJobs(file)
    assert jobs.known("") == set()
    jobs.add("r-0001", "", "spec")
    assert jobs.known("") == {"r-0001"}
    whole = orjson.loads(file.read_bytes())["jobs"]["r-0001"]
    file.write_bytes(orjson.dumps({"jobs": {"r-0001": whole, "r-0002": 5, "r-0003": {"spec": "cut"}}}))
    assert jobs.known("") == {"r-0001"}
    blocked = FileJobs(file / "home" / "queue.json")  # below a file
    with pytest.raises(StoreError, match=r"The queue .*queue\.lock cannot be written"):
        blocked.add("r-0001", "", "spec")


def test_one_server_holds_the_lock_until_it_leaves_it(tmp_path: Path, jobs: FileJobs) -> None:
    first, second = (WorkerLock(tmp_path / "worker.lock", jobs) for _ in range(2))
    assert first.take()
    assert first.take()
    assert not second.take()
    first.release()
    assert second.take()
    assert not first.take()


# --- servers in processes of their own -------------------------------------------------------------------------------


def server_of(home: Path, backend: FakeBackend) -> Pipeline:
    """A server of a home, real but for the trainer."""
    settings = empty_home(home)
    store = open_store(settings.database_url)
    shared = shared_queue(settings, store, serves=True)
    accelerator = Accelerator(settings.accelerator_lock)
    pipeline = Pipeline(settings, store, JobManager(store.runs, backend, accelerator, shared=shared))
    pipeline.queue_again()
    return pipeline


def serve(home: Path, *train_steps: int) -> None:
    """A server that trains a run, which others wait for, until a line on its standard input."""
    with server_of(home, FakeBackend(step_seconds=0.01)) as rt:
        rt.traces.ingest_examples(20)
        rt.datasets.build("mine")
        for each in train_steps:
            queue_run(rt, each)
        sys.stdin.readline()


Another = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    empty_home(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def worker(home: Path) -> Iterator[Another]:
    """Starts the server that does the jobs, as of `serve`, and waits until its run is trained; ended with the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(*train_steps: int) -> subprocess.Popen[bytes]:
        script = f"from tests.jobs.waiting.test_one_machine import *; serve(Path({str(home)!r}), *{train_steps})"
        begun.append(subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdin=subprocess.PIPE))
        until(lambda: len(steps_of(RunDir(home / "runs" / "r-0001"))) > 20)
        until(lambda: (home / "runs" / f"r-{len(train_steps):04}" / "state.json").exists())
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait(30)


def until(done: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def queue_run(rt: Pipeline, train_steps: int) -> str:
    manifest = rt.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": train_steps})
    return rt.runs.start(manifest).id


def in_queue(rt: Pipeline, run: str) -> bool:
    state = rt.queue.state()
    return run in [job.id for job in state.waiting] or (state.holder is not None and state.holder.run == run)


def steps_of(folder: RunDir) -> list[int]:
    return [one.train_step for one in folder.metrics()[0] if isinstance(one, TrainMetric)]


def test_a_run_that_is_started_at_another_server_is_done_by_the_worker(home: Path, worker: Another) -> None:
    first = worker(200)
    with server_of(home, backend := FakeBackend()) as viewer:
        holder = viewer.queue.state().holder
        assert holder is not None
        assert (holder.run, holder.pid) == ("r-0001", first.pid)
        run = queue_run(viewer, 5)
        assert [job.id for job in viewer.queue.state().waiting] == [run], "at once"
        assert viewer.runs.get(run).status is RunStatus.QUEUED
        while in_queue(viewer, run):
            time.sleep(0.001)
        assert viewer.runs.get(run).status is RunStatus.SUCCEEDED, "it was there until its end"
        assert backend.trained == []
        assert owners.local_pid(viewer.runs.state(run).owner) == first.pid
        assert viewer.runs.get("r-0001").status is RunStatus.SUCCEEDED
        until(lambda: FileJobs(home / "queue.json").known("") == set())


def test_an_evaluation_that_is_started_at_another_server_is_done_by_the_worker(home: Path, worker: Another) -> None:
    worker(30)
    with server_of(home, FakeBackend()) as viewer:
        until(lambda: viewer.runs.get("r-0001").status is RunStatus.SUCCEEDED)
        viewer.evaluations.start("r-0001")
        until(lambda: {one.status for one in viewer.evaluations.records()} == {RunStatus.SUCCEEDED})
        until(lambda: FileJobs(home / "queue.json").known("") == set())
        assert viewer.jobs.wait(0), "nothing was done here"


def test_another_server_stops_what_the_worker_does_and_removes_what_waits(home: Path, worker: Another) -> None:
    worker(3_000)
    with server_of(home, FakeBackend()) as viewer:
        run = queue_run(viewer, 5)
        with pytest.raises(Conflict, match=f"{run} waits at another server of this home, which alone orders it"):
            viewer.queue.move(run, -1)
        viewer.queue.remove(run)
        assert viewer.runs.get(run).status is RunStatus.STOPPED
        viewer.runs.stop("r-0001")
        until(lambda: viewer.runs.get("r-0001").status is RunStatus.STOPPED)
        assert not steps_of(viewer.runs.folder(run))


def test_a_server_that_lives_takes_over_from_a_worker_that_was_killed(home: Path, worker: Another) -> None:
    first = worker(300)
    with server_of(home, backend := FakeBackend(step_seconds=0.001)) as survivor:
        waits = queue_run(survivor, 5)
        first.send_signal(signal.SIGKILL)
        first.wait(30)
        folder = survivor.runs.folder("r-0001")
        assert len(steps_of(folder)) < 300
        until(lambda: {run.status for run in survivor.runs.page().items} == {RunStatus.SUCCEEDED})
        assert sorted(backend.trained) == ["r-0001", waits]
        assert steps_of(folder) == list(range(1, 301)), "no train step twice, none left out"
        assert "shows no sign of life. It is resumed from its last checkpoint." in folder.log_file.read_text()


def test_what_waits_at_a_worker_that_is_told_to_end_waits_on_at_another_server_which_orders_it(
    home: Path, worker: Another
) -> None:
    first = worker(3_000, 3_000, 5)
    with server_of(home, backend := FakeBackend(step_seconds=0.01)) as survivor:
        last = queue_run(survivor, 5)
        assert first.stdin is not None
        first.stdin.write(b"\n")
        first.stdin.flush()
        seen = set()
        while first.poll() is None or survivor.runs.get("r-0002").status is not RunStatus.RUNNING:
            seen |= {survivor.runs.get(run).status for run in ("r-0003", last)}
            assert in_queue(survivor, "r-0002")
        assert seen == {RunStatus.QUEUED}
        ended = survivor.runs.get("r-0001")
        assert (ended.status, ended.message.partition(";")[0]) == (
            RunStatus.STOPPED,
            "Stopped because the server ended",
        )
        both = [("r-0003", True), (last, True)]
        until(lambda: [(job.id, job.here) for job in survivor.queue.state().waiting] == both)
        survivor.queue.move(last, -1)
        assert list(FileJobs(home / "queue.json").waiting("")) == [last, "r-0003"], "for who takes over from this one"
        survivor.runs.stop("r-0002")
        assert survivor.queue.wait(30)
        assert backend.trained == ["r-0002", last, "r-0003"]


def test_what_waits_at_a_server_alone_that_is_told_to_end_is_queued_again_by_the_next_one(
    home: Path, worker: Another
) -> None:
    first = worker(3_000, 5, 7)
    first.communicate(b"\n", timeout=60)
    with server_of(home, backend := FakeBackend()) as following:
        assert following.queue.wait(30)
        assert backend.trained == ["r-0002", "r-0003"]
        assert following.runs.get("r-0001").status is RunStatus.STOPPED


def test_what_was_started_at_another_server_is_ordered_at_the_worker(home: Path) -> None:
    with server_of(home, FakeBackend(step_seconds=0.01)) as first:
        first.traces.ingest_examples(20)
        first.datasets.build("mine")
        running, waits = queue_run(first, 3_000), queue_run(first, 5)
        with server_of(home, FakeBackend()) as viewer:
            theirs = queue_run(viewer, 5)
            until(lambda: [job.here for job in first.queue.state().waiting] == [True, True])
            first.queue.move(theirs, -1)
            assert [job.id for job in viewer.queue.state().waiting] == [theirs, waits]
            assert [job.here for job in viewer.queue.state().waiting] == [False, False]
        first.runs.stop(running)
        assert first.queue.wait(30)


def test_a_run_that_waits_and_was_started_elsewhere_since_is_left_to_who_trains_it(home: Path) -> None:
    lock = WorkerLock(home / "worker.lock", jobs := FileJobs(home / "queue.json"))
    assert lock.take()
    with server_of(home, backend := FakeBackend()) as server:
        server.traces.ingest_examples(20)
        server.datasets.build("mine")
        folder = server.runs.folder(run := queue_run(server, 5))
        begun = replace(folder.state(), status=RunStatus.RUNNING, attempt=2)  # as by `tunixrt runs resume`
        folder.write_state(begun)
        lock.release()
        until(lambda: jobs.known("") == set())
        assert folder.written_state() == begun
        assert (run, backend.trained) == ("r-0001", [])


def test_a_run_that_has_ended_three_servers_is_given_up_and_its_state_says_so(home: Path) -> None:
    jobs = FileJobs(home / "queue.json")
    lock = WorkerLock(home / "worker.lock", jobs)
    assert lock.take()
    with server_of(home, backend := FakeBackend()) as server:
        server.traces.ingest_examples(20)
        server.datasets.build("mine")
        run = queue_run(server, 5)
        folder = server.runs.folder(run)
        ended = [DEAD, DEAD.replace(":999999:", ":999998:"), DEAD.replace(":999999:", ":999997:")]
        assert jobs.claim(run, ended[0], jobs.waiting("")[run])
        assert [taken and taken.losses for taken in (jobs.take("", dead) for dead in ended[1:])] == [1, 2]
        folder.write_state(replace(folder.state(), status=RunStatus.RUNNING, owner=ended[-1]))
        lock.release()
        until(lambda: jobs.known("") == set())
        found = server.runs.get(run)
        assert found.status is RunStatus.INTERRUPTED
        assert found.message == (
            "The server that did it, process 999997, shows no sign of life. 3 servers ended while they did it. "
            "It is given up; resume continues from the last checkpoint."
        )
        assert "3 servers ended while they did it. It is not resumed again." in folder.log_file.read_text()
        assert backend.trained == []


def test_after_a_kill_a_server_alone_leaves_the_run_interrupted(home: Path, worker: Another) -> None:
    first = worker(300)
    first.send_signal(signal.SIGKILL)
    first.wait(30)
    with server_of(home, backend := FakeBackend()) as alone:
        assert alone.runs.get("r-0001").status is RunStatus.INTERRUPTED
        assert FileJobs(home / "queue.json").known("") == set()
        run = queue_run(alone, 3)
        assert alone.queue.wait(30)
        assert alone.runs.get(run).status is RunStatus.SUCCEEDED
        assert backend.trained == [run]


def in_a_process(home: Path, code: str) -> list[str]:
    """The last line, which is JSON, that a server in a process of its own writes; `rt` is the server."""
    script = f"from tests.jobs.waiting.test_one_machine import *; home = Path({str(home)!r}); {code}"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    return list(orjson.loads(done.stdout.splitlines()[-1])) if done.stdout else [done.stderr]


def waiting_of(rt: Pipeline) -> None:
    print(orjson.dumps([job.id for job in rt.queue.state().waiting]).decode())


def three_wait(home: Path, *, moved: bool) -> None:
    with server_of(home, FakeBackend()) as rt:
        rt.traces.ingest_examples(20)
        rt.datasets.build("mine")
        for each in (3, 4, 5):
            queue_run(rt, each)
        if moved:
            rt.queue.move("r-0003", -2)
        waiting_of(rt)


def ends_after_one(home: Path) -> None:
    """A start that SIGTERM ends after it has queued one job again."""
    submit, done = JobManager.submit, []

    def told_to_end(self: JobManager, *given: object) -> None:
        if done:
            raise SystemExit(0)  # as the handler of SIGTERM does
        submit(self, *given)  # type: ignore[arg-type]
        done.append(given)

    JobManager.submit = told_to_end  # type: ignore[method-assign,assignment]
    server_of(home, FakeBackend())


@pytest.fixture
def held(home: Path) -> Iterator[None]:
    hold = Accelerator(home / "accelerator.lock").take("r-9999", "train")
    assert hold
    yield
    hold.release()


LOOK = "rt = server_of(home, FakeBackend()); waiting_of(rt); rt.close()"


@pytest.mark.usefixtures("held")
def test_the_next_start_of_a_server_alone_keeps_the_order_that_a_person_made(home: Path) -> None:
    assert in_a_process(home, "three_wait(home, moved=True)") == ["r-0003", "r-0001", "r-0002"]
    assert in_a_process(home, LOOK) == ["r-0003", "r-0001", "r-0002"]


@pytest.mark.usefixtures("held")
def test_a_start_that_ends_halfway_keeps_the_order(home: Path) -> None:
    assert in_a_process(home, "three_wait(home, moved=False)") == ["r-0001", "r-0002", "r-0003"]
    in_a_process(home, "ends_after_one(home)")
    assert in_a_process(home, LOOK) == ["r-0001", "r-0002", "r-0003"]


@pytest.mark.usefixtures("held")
def test_a_server_starts_although_a_job_of_its_queue_cannot_be_read(home: Path) -> None:
    in_a_process(home, "three_wait(home, moved=False)")
    damaged = orjson.loads((file := home / "queue.json").read_bytes())
    damaged["jobs"]["r-0001"]["spec"] = "{}"
    file.write_bytes(orjson.dumps(damaged))
    assert sorted(in_a_process(home, LOOK)) == ["r-0001", "r-0002", "r-0003"]
