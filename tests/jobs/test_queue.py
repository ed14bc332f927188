"""One job at a time, in order; a failed one does not end the queue."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.makers import Records, make_manifest
from tunixrt_core.errors import ShuttingDown, StoreError
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.execution import run_folder_of


@pytest.fixture
def records() -> Records:
    return Records()


def submit(jobs: JobManager, tmp_path: Path, name: str, train_steps: int = 5) -> RunDir:
    manifest = make_manifest(tmp_path, train_steps=train_steps)
    manifest = manifest.model_copy(update={"output_dir": str(tmp_path / name)})
    folder = run_folder_of(manifest, Path())
    jobs.submit_training(name, manifest, folder)
    return folder


def test_jobs_run_one_after_the_other_in_order(tmp_path: Path, records: Records) -> None:
    backend = FakeBackend(step_seconds=0.001)
    jobs = JobManager(records, backend)
    folders = [submit(jobs, tmp_path, name) for name in ("a", "b", "c")]
    assert jobs.wait(10)
    assert backend.trained == ["a", "b", "c"]
    assert all(folder.state().status is RunStatus.SUCCEEDED for folder in folders)
    assert records.statuses("b") == ["loading", "compiling", "running", "succeeded"]


def test_a_failed_run_does_not_end_the_queue(tmp_path: Path, records: Records) -> None:
    backend = FakeBackend(crash_at=2)
    jobs = JobManager(records, backend)
    submit(jobs, tmp_path, "a")
    assert jobs.wait(10)
    backend.crash_at = None
    second = submit(jobs, tmp_path, "b")
    assert jobs.wait(10)
    assert second.state().status is RunStatus.SUCCEEDED


def test_a_disk_that_hangs_in_a_sign_of_life_keeps_no_page_waiting_and_is_waited_for_by_a_change(
    tmp_path: Path, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = JobManager(records, FakeBackend(step_seconds=0.05))
    submit(jobs, tmp_path, "a", train_steps=1_000)
    waits = submit(jobs, tmp_path, "b")
    hangs, answers = threading.Event(), threading.Event()
    monkeypatch.setattr(jobs.trainings, "beat", lambda spec: (hangs.set(), answers.wait(30)))
    beat = threading.Thread(target=jobs._beat)
    beat.start()
    assert hangs.wait(30)
    assert [job.id for job in jobs.queue().waiting] == ["b"]
    removal = threading.Thread(target=jobs.remove, args=("b",))
    removal.start()
    removal.join(0.2)
    assert waits.state().status is RunStatus.QUEUED, "its folder is written by one thread at a time"
    answers.set()
    removal.join(30)
    beat.join(30)
    assert waits.state().status is RunStatus.STOPPED
    jobs.close()


def test_a_database_that_is_busy_does_not_end_a_training(tmp_path: Path, records: Records) -> None:
    class Busy(Records):
        def mirror(self, run_id: str, **changes: Any) -> None:
            raise StoreError("The database has been busy for 60 s with another import.")

    jobs = JobManager(Busy(), FakeBackend())
    folder = submit(jobs, tmp_path, "a")
    assert jobs.wait(10)
    assert folder.state().status is RunStatus.SUCCEEDED


def test_the_holder_and_the_queue_are_shown(tmp_path: Path, records: Records) -> None:
    jobs = JobManager(records, FakeBackend(step_seconds=0.01))
    first = submit(jobs, tmp_path, "a", train_steps=10_000)
    second = submit(jobs, tmp_path, "b")
    while not first.metrics()[0]:
        time.sleep(0.01)
    queue = jobs.queue()
    assert queue.holder is not None
    assert (queue.holder.run, queue.holder.kind) == ("a", "train")
    assert [(job.run, job.kind) for job in queue.waiting] == [("b", "train")]
    assert jobs.stop("b")
    assert second.state().status is RunStatus.STOPPED
    assert jobs.stop("a")
    assert jobs.wait(10)
    assert first.state().status is RunStatus.STOPPED
    assert jobs.queue().holder is None
    assert not jobs.stop("a")


def test_closing_stops_what_runs_and_what_waits(tmp_path: Path, records: Records) -> None:
    jobs = JobManager(records, FakeBackend(step_seconds=0.01))
    first = submit(jobs, tmp_path, "a", train_steps=10_000)
    second = submit(jobs, tmp_path, "b")
    while not first.metrics()[0]:
        time.sleep(0.01)
    jobs.close()
    assert first.state().status is second.state().status is RunStatus.STOPPED
    with pytest.raises(ShuttingDown, match="shutting down"):
        submit(jobs, tmp_path, "c")


def test_a_job_waits_while_another_process_holds_the_accelerator(tmp_path: Path, records: Records) -> None:
    file = tmp_path / "accelerator.lock"
    other = Accelerator(file).take("r-elsewhere", "export")  # a lock of its own, as another process would have it
    assert other is not None
    jobs = JobManager(records, FakeBackend(), Accelerator(file))
    first, second = submit(jobs, tmp_path, "a"), submit(jobs, tmp_path, "b")
    assert not jobs.wait(1.2)
    queue = jobs.queue()
    assert queue.holder is not None
    assert (queue.holder.run, queue.holder.kind) == ("r-elsewhere", "export")
    assert [job.run for job in queue.waiting] == ["a", "b"]
    jobs.remove("a")
    other.release()
    assert jobs.wait(10)
    assert (first.state().status, second.state().status) == (RunStatus.STOPPED, RunStatus.SUCCEEDED)
    assert Accelerator(file).holder() is None


def test_the_accelerator_is_held_while_a_job_runs_and_freed_after_a_bug(tmp_path: Path, records: Records) -> None:
    file = tmp_path / "accelerator.lock"
    jobs = JobManager(records, FakeBackend(step_seconds=0.01, crash_at=50), Accelerator(file))
    folder = submit(jobs, tmp_path, "a", train_steps=10_000)
    while not folder.metrics()[0]:
        time.sleep(0.01)
    assert Accelerator(file).take("b", "train") is None
    assert jobs.wait(10)
    assert folder.state().status is RunStatus.FAILED
    assert Accelerator(file).holder() is None


def test_a_run_that_the_end_of_the_server_stopped_says_so(tmp_path: Path, records: Records) -> None:
    jobs = JobManager(records, FakeBackend(step_seconds=0.01))
    folder = submit(jobs, tmp_path, "a", train_steps=10_000)
    while not folder.metrics()[0]:
        time.sleep(0.01)
    jobs.close()
    assert folder.state().message == "Stopped because the server ended; resume continues from the checkpoint."


def test_a_run_that_waits_shows_every_ten_seconds_that_its_server_is_alive(
    tmp_path: Path, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunixrt_core.util.owners.BEAT_SECONDS", 0.01)
    jobs = JobManager(records, FakeBackend(step_seconds=0.01))
    submit(jobs, tmp_path, "a", train_steps=10_000)
    second = submit(jobs, tmp_path, "b")
    queued = second.state().updated_at
    while second.state().updated_at == queued:
        time.sleep(0.01)
    assert second.state().status is RunStatus.QUEUED
    jobs.close()


def test_a_run_that_another_server_has_taken_over_is_left_to_it(tmp_path: Path, records: Records) -> None:
    jobs = JobManager(records, FakeBackend(step_seconds=0.01))
    first = submit(jobs, tmp_path, "a", train_steps=10_000)
    second = submit(jobs, tmp_path, "b")
    taken = replace(second.state(), owner="pid:4711:123:another-boot:another-machine", attempt=2)
    second.write_state(taken)
    assert jobs.stop("a")
    assert jobs.wait(10)
    assert first.state().status is RunStatus.STOPPED
    assert second.read_state() == taken
    assert not second.metrics()[0]
