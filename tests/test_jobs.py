"""One job at a time, in order; every end is written down, and a stop keeps what was learned."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.fakes import FakeBackend
from tunixrt_core.errors import Conflict, InvalidDataset, StoreError
from tunixrt_core.evaluation import EvalDir, EvalRecord, Target
from tunixrt_core.jobs import JobManager, execute_evaluation, execute_training, run_folder_of, wait_until_over
from tunixrt_core.manifest import RunManifest, build_sft_manifest
from tunixrt_core.runs import RunDir, RunStatus


class Records:
    """What the store would have been told."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, dict[str, Any]]] = []

    def mirror(self, run_id: str, **changes: Any) -> None:
        self.changes.append((run_id, changes))

    def update(self, eval_id: str, **changes: Any) -> None:
        self.changes.append((eval_id, changes))

    def statuses(self, name: str) -> list[str]:
        return [str(changes["status"]) for known, changes in self.changes if known == name]


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    return make_manifest(tmp_path, train_steps=10)


def make_manifest(tmp_path: Path, *, train_steps: int, eval_rows: int = 3) -> RunManifest:
    path = tmp_path / f"data-{eval_rows}.jsonl"
    splits = ["train"] * 4 + ["eval"] * eval_rows
    rows = [
        {"prompt": f"Task {i}:", "trace_steps": ["s"], "final_answer": str(i), "metadata": {"split": split}}
        for i, split in enumerate(splits)
    ]
    if not path.exists():  # a run that is under way may be reading it
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    built = build_sft_manifest(path, "tiny", tmp_path / "run", {"train_steps": train_steps})
    return RunManifest.from_dict(built)


def run(manifest: RunManifest, backend: FakeBackend, stop: threading.Event | None = None) -> RunDir:
    folder = run_folder_of(manifest, Path())
    execute_training(manifest, folder, backend, stop=stop or threading.Event())
    return folder


def test_a_run_that_ends_by_itself_has_a_result_and_all_its_metrics(manifest: RunManifest) -> None:
    folder = run(manifest, FakeBackend())
    result = folder.result()
    assert result is not None
    assert (result["status"], result["train_step"]) == ("succeeded", 10)
    assert result["manifest_hash"] == manifest.content_hash
    assert [r["train_step"] for r in folder.metrics()[0] if r["kind"] == "train"] == list(range(1, 11))
    assert RunManifest.from_text(folder.manifest_file.read_text()) == manifest
    assert "python" in orjson.loads(folder.env_file.read_bytes())


def test_an_error_of_the_run_is_its_message_and_leaves_no_result(manifest: RunManifest) -> None:
    folder = run(manifest, FakeBackend(fail_at=4))
    assert folder.state().status is RunStatus.FAILED
    assert folder.state().message == "The loss became NaN at train step 4."
    assert folder.result() is None
    assert len(folder.metrics()[0]) == 3


def test_a_bug_fails_the_run_and_its_traceback_is_in_the_log(manifest: RunManifest) -> None:
    folder = run(manifest, FakeBackend(crash_at=2))
    assert folder.state().status is RunStatus.FAILED
    assert "ZeroDivisionError" in folder.state().message
    assert "Traceback" in folder.log_tail()


def test_data_that_changed_since_the_manifest_fails_the_run_before_it_trains(manifest: RunManifest) -> None:
    Path(manifest.data.path).write_bytes(b"{}\n")
    folder = run(manifest, FakeBackend())
    assert folder.state().status is RunStatus.FAILED
    assert "data.sha256" in folder.state().message


def test_a_stop_file_stops_a_run_from_another_process_and_it_resumes_from_there(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, train_steps=200)
    folder = run_folder_of(manifest, Path())
    backend = FakeBackend(step_seconds=0.02)
    worker = threading.Thread(target=run, args=(manifest, backend))
    worker.start()
    while not folder.metrics()[0]:
        time.sleep(0.01)
    folder.stop_file.touch()
    state = wait_until_over(folder, poll=0.01)
    worker.join()
    assert state.status is RunStatus.STOPPED
    assert 0 < state.train_step < 200
    backend.step_seconds = 0.0
    resumed = run(manifest, backend)
    assert resumed.state().status is RunStatus.SUCCEEDED
    steps = [r["train_step"] for r in resumed.metrics()[0] if r["kind"] == "train"]
    assert steps == list(range(1, 201)), "no train step is missing and none appears twice"


def test_a_stopped_run_was_seen_stopping(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, train_steps=10_000)
    records, stop = Records(), threading.Event()
    folder = run_folder_of(manifest, Path())
    worker = threading.Thread(
        target=execute_training,
        args=(manifest, folder, FakeBackend(step_seconds=0.01)),
        kwargs={"stop": stop, "on_status": lambda state: records.mirror("r", status=state.status)},
    )
    worker.start()
    while not folder.metrics()[0]:
        time.sleep(0.01)
    stop.set()
    worker.join()
    assert records.statuses("r") in (
        ["loading", "compiling", "running", "stopping", "stopped"],
        ["loading", "compiling", "running", "stopped"],  # the trainer saw the event before the watcher did
    )


class TestJobManager:
    @pytest.fixture
    def records(self) -> Records:
        return Records()

    def submit(self, jobs: JobManager, tmp_path: Path, name: str, train_steps: int = 5) -> RunDir:
        manifest = make_manifest(tmp_path, train_steps=train_steps)
        manifest = manifest.model_copy(update={"output_dir": str(tmp_path / name)})
        folder = run_folder_of(manifest, Path())
        jobs.submit_training(name, manifest, folder)
        return folder

    def test_jobs_run_one_after_the_other_in_order(self, tmp_path: Path, records: Records) -> None:
        backend = FakeBackend(step_seconds=0.001)
        jobs = JobManager(records, records, backend)
        folders = [self.submit(jobs, tmp_path, name) for name in ("a", "b", "c")]
        assert jobs.wait(10)
        assert backend.trained == ["a", "b", "c"]
        assert all(folder.state().status is RunStatus.SUCCEEDED for folder in folders)
        assert records.statuses("b") == ["loading", "compiling", "running", "succeeded"]

    def test_a_failed_run_does_not_end_the_queue(self, tmp_path: Path, records: Records) -> None:
        backend = FakeBackend(crash_at=2)
        jobs = JobManager(records, records, backend)
        self.submit(jobs, tmp_path, "a")
        assert jobs.wait(10)
        backend.crash_at = None
        second = self.submit(jobs, tmp_path, "b")
        assert jobs.wait(10)
        assert second.state().status is RunStatus.SUCCEEDED

    def test_a_database_that_is_busy_does_not_end_a_training(self, tmp_path: Path, records: Records) -> None:
        class Busy(Records):
            def mirror(self, run_id: str, **changes: Any) -> None:
                raise StoreError("The database has been busy for 60 s with another import.")

        jobs = JobManager(Busy(), records, FakeBackend())
        folder = self.submit(jobs, tmp_path, "a")
        assert jobs.wait(10)
        assert folder.state().status is RunStatus.SUCCEEDED

    def test_the_holder_and_the_queue_are_shown(self, tmp_path: Path, records: Records) -> None:
        jobs = JobManager(records, records, FakeBackend(step_seconds=0.01))
        first = self.submit(jobs, tmp_path, "a", train_steps=10_000)
        second = self.submit(jobs, tmp_path, "b")
        while not first.metrics()[0]:
            time.sleep(0.01)
        assert jobs.holder() == ("a", "train")
        assert jobs.queued() == [("b", "train")]
        assert jobs.stop("b")
        assert second.state().status is RunStatus.STOPPED
        assert jobs.stop("a")
        assert jobs.wait(10)
        assert first.state().status is RunStatus.STOPPED
        assert jobs.holder() is None
        assert not jobs.stop("a")

    def test_closing_stops_what_runs_and_what_waits(self, tmp_path: Path, records: Records) -> None:
        jobs = JobManager(records, records, FakeBackend(step_seconds=0.01))
        first = self.submit(jobs, tmp_path, "a", train_steps=10_000)
        second = self.submit(jobs, tmp_path, "b")
        while not first.metrics()[0]:
            time.sleep(0.01)
        jobs.close()
        assert first.state().status is second.state().status is RunStatus.STOPPED
        with pytest.raises(Conflict, match="shutting down"):
            self.submit(jobs, tmp_path, "c")

    def test_an_evaluation_waits_for_its_turn_and_reports_its_summary(self, tmp_path: Path, records: Records) -> None:
        manifest = make_manifest(tmp_path, train_steps=3)
        folder = run_folder_of(manifest, Path())
        jobs = JobManager(records, records, FakeBackend())
        jobs.submit_training("r", manifest, folder)
        record = EvalRecord("r-tuned", "r", "tuned", RunStatus.QUEUED, str(folder.evals), datetime.now(UTC))
        jobs.submit_evaluation(record, manifest, folder)
        assert jobs.wait(10)
        assert records.statuses("r-tuned") == ["loading", "running", "succeeded"]
        assert records.changes[-1][1]["metrics"]["exact_match"] == 1.0
        progress = jobs.evaluation_progress("r-tuned")
        assert progress is not None
        assert (progress.done, progress.total) == (3, 3)

    def test_an_evaluation_without_eval_rows_fails_with_a_sentence(self, tmp_path: Path, records: Records) -> None:
        manifest = make_manifest(tmp_path, train_steps=3, eval_rows=0)
        folder = run_folder_of(manifest, Path())
        jobs = JobManager(records, records, FakeBackend())
        record = EvalRecord("e", "r", "base", RunStatus.QUEUED, str(folder.evals), datetime.now(UTC))
        jobs.submit_evaluation(record, manifest, folder)
        assert jobs.wait(10)
        assert records.statuses("e") == ["loading", "failed"]
        assert "eval split" in records.changes[-1][1]["message"]


@pytest.mark.parametrize(("target", "share"), [("base", 0.0), ("tuned", 1.0)])
def test_the_tuned_model_is_the_one_with_the_checkpoint(manifest: RunManifest, target: Target, share: float) -> None:
    folder = run(manifest, FakeBackend())
    phases: list[str] = []
    summary = execute_evaluation(
        manifest, folder, target, FakeBackend(), on_progress=lambda progress: phases.append(progress.phase)
    )
    assert summary["exact_match"] == share
    assert phases == ["loading", "compiling", "generating", "generating", "generating"]
    assert len(EvalDir(folder.evals / target).predictions()) == 3


def test_a_limit_of_rows_is_kept(manifest: RunManifest) -> None:
    folder = run(manifest, FakeBackend())
    assert execute_evaluation(manifest, folder, "tuned", FakeBackend(), limit=2)["rows"] == 2


def test_an_evaluation_without_rows_is_an_error(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, train_steps=1, eval_rows=0)
    with pytest.raises(InvalidDataset, match="eval split"):
        execute_evaluation(manifest, RunDir(tmp_path / "run"), "base", FakeBackend())
