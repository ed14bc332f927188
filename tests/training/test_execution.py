"""Every end of a run is written down, and a stop keeps what was learned."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.makers import Records, make_manifest
from tunixrt_core.errors import Conflict, InvalidManifest
from tunixrt_core.jobs.kinds.model_exports import execute_export
from tunixrt_core.manifest.manifest import RunManifest, change_manifest
from tunixrt_core.runs.folder import NOT_RESUMED, RunDir
from tunixrt_core.runs.metrics import Known, TrainPlan
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.training.execution import execute_training, run_folder_of
from tunixrt_core.training.preflight.report import blocking, warning
from tunixrt_core.training.recording.recorder import RunRecorder
from tunixrt_core.training.recording.webhook import Webhook
from tunixrt_core.training.stop import StopRequest


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    return make_manifest(tmp_path, train_steps=10)


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
    assert [r.train_step for r in folder.metrics()[0] if r.kind == "train"] == list(range(1, 11))
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


CUT = blocking("answer_cut", "The answer of 1 row is not trained on.", "Leave it out.", rows=(7,), row_count=1)
TWICE = warning("duplicates", "1 row repeats an earlier one.")


def test_what_the_preflight_finds_blocking_fails_the_run_before_it_trains(manifest: RunManifest) -> None:
    backend = FakeBackend()
    backend.findings = (CUT, TWICE)
    folder = run(manifest, backend)
    state = folder.state()
    assert state.status is RunStatus.FAILED
    assert state.message == "1 check blocks training: The answer of 1 row is not trained on. Leave it out."
    assert "Warning (duplicates): 1 row repeats an earlier one." in folder.log_tail()
    assert backend.trained == []
    kept = orjson.loads(folder.preflight_file.read_bytes())
    assert [(f["code"], f["rows"]) for f in kept["findings"]] == [("answer_cut", [7]), ("duplicates", [])]


def test_what_is_allowed_trains_says_so_and_is_remembered_by_a_resume(manifest: RunManifest) -> None:
    backend = FakeBackend(fail_at=4)
    backend.findings = (CUT,)
    folder = run_folder_of(manifest, Path())
    execute_training(manifest, folder, backend, stop=threading.Event(), allow=["answer_cut"])
    assert "Allowed (answer_cut)" in folder.log_tail()
    assert folder.state().message == "The loss became NaN at train step 4."
    backend.fail_at = None
    assert run(manifest, backend).state().status is RunStatus.SUCCEEDED


def files_of(folder: RunDir) -> dict[str, bytes]:
    """Everything in a run's folder but the log, which says what was tried."""
    files = (path for path in folder.path.rglob("*") if path.is_file() and path != folder.log_file)
    return {str(path.relative_to(folder.path)): path.read_bytes() for path in files}


def blocked(backend: FakeBackend, manifest: RunManifest) -> None:
    backend.findings = (CUT,)


def other_data(backend: FakeBackend, manifest: RunManifest) -> None:
    Path(manifest.data.path).write_bytes(b"{}\n")


def refused_by_the_trainer(backend: FakeBackend, manifest: RunManifest) -> None:
    backend.fail_at = 11


def a_bug(backend: FakeBackend, manifest: RunManifest) -> None:
    backend.crash_at = 11


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        (blocked, "1 check blocks training"),
        (other_data, "data.sha256"),
        (refused_by_the_trainer, "NaN at train step 11"),
        (a_bug, "ZeroDivisionError"),
    ],
)
def test_a_resume_that_makes_no_train_step_changes_nothing_and_says_why(
    manifest: RunManifest, cause: Callable[[FakeBackend, RunManifest], None], why: str
) -> None:
    backend = FakeBackend()
    folder = run(manifest, backend)
    before, state = files_of(folder), folder.state()
    cause(backend, manifest)
    run(change_manifest(manifest, {"train_steps": 12, "batch_size": 4}), backend)
    assert why in folder.state().refused
    assert folder.state() == replace(state, refused=folder.state().refused, attempt=state.attempt + 1)
    assert {**files_of(folder), "state.json": b""} == {**before, "state.json": b""}
    assert "The resume was refused and changed nothing: " in folder.log_tail()


def test_a_resume_that_is_stopped_before_its_first_train_step_leaves_the_run_finished(manifest: RunManifest) -> None:
    folder = run(manifest, FakeBackend())
    stop = StopRequest()
    stop.ask("Stopped by its user.")
    run(change_manifest(manifest, {"train_steps": 12}), FakeBackend(), stop)
    state = folder.state()
    assert (state.status, state.train_step, state.refused) == (RunStatus.SUCCEEDED, 10, "Stopped by its user.")
    assert folder.result() is not None
    done = run(change_manifest(manifest, {"train_steps": 12}), FakeBackend()).state()
    assert (done.status, done.train_step, done.refused, done.before) == (RunStatus.SUCCEEDED, 12, "", None)


class Killed(BaseException):
    """The process ends here: none of its hooks is called again."""


@pytest.mark.parametrize("phase", ["loading", "compiling", "training"])
def test_a_process_that_is_killed_before_the_first_new_train_step_leaves_the_run_finished(
    manifest: RunManifest, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(manifest, FakeBackend())
    before, state = files_of(folder), folder.state()

    def kill(recorder: RunRecorder, began: str) -> None:
        begins(recorder, began)
        if began == phase:
            raise Killed

    begins = RunRecorder.phase
    monkeypatch.setattr(RunRecorder, "phase", kill)
    with pytest.raises(Killed):
        run(change_manifest(manifest, {"train_steps": 12}), FakeBackend())
    left = folder.state()
    assert left.before is not None
    folder.write_state(replace(left, owner="999999999:1:gone"))
    assert folder.state() == replace(state, refused=NOT_RESUMED, attempt=left.attempt)
    assert {**files_of(folder), "state.json": b""} == {**before, "state.json": b""}


def taken_over(folder: RunDir) -> RunState:
    """The state that another machine writes when it starts the same run again."""
    now = folder.read_state()
    taken = replace(now, owner="pid:4711:123:another-boot:another-machine", attempt=now.attempt + 1)
    folder.write_state(replace(taken, updated_at=time.time()))
    return folder.read_state()


def test_a_run_that_was_started_again_elsewhere_stops_and_writes_nothing_more(
    manifest: RunManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunixrt_core.training.recording.recorder._STATE_SECONDS", 0.0)
    told: list[RunState] = []

    class Told:
        def plan(self, plan: TrainPlan) -> None: ...

        def close(self) -> None: ...

        def record(self, record: Known) -> None:
            if record.train_step == 4 and not told:
                told.append(taken_over(folder))

    folder = run_folder_of(manifest, Path())
    ended: list[RunState] = []
    hook = Webhook("http://127.0.0.1:9/", "r", "r")
    monkeypatch.setattr(hook, "ended", ended.append)
    state = execute_training(manifest, folder, FakeBackend(sinks=[Told()]), stop=threading.Event(), webhook=hook)
    assert state.status is RunStatus.INTERRUPTED
    assert "was started again elsewhere (attempt 2, this is attempt 1)" in state.message
    assert folder.read_state() == told[0]
    assert [record.train_step for record in folder.metrics()[0]] == [1, 2, 3, 4]
    assert (folder.result(), folder.checkpoint_steps(), ended) == (None, [], [])


def test_a_run_shows_that_it_is_alive_while_it_compiles(manifest: RunManifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunixrt_core.util.owners.BEAT_SECONDS", 0.01)
    folder = run_folder_of(manifest, Path())
    seen: list[RunState] = []

    def compile_slowly(recorder: RunRecorder, phase: str) -> None:
        begins(recorder, phase)
        if phase == "compiling":
            began = folder.read_state()
            while (now := folder.read_state()).updated_at == began.updated_at:
                time.sleep(0.01)
            seen.extend([began, now])

    begins = RunRecorder.phase
    monkeypatch.setattr(RunRecorder, "phase", compile_slowly)
    run(manifest, FakeBackend())
    began, now = seen
    assert now.updated_at > began.updated_at
    assert replace(now, updated_at=began.updated_at) == began, "the phase began when it began"


def test_a_stop_file_stops_a_run_from_another_process_and_it_resumes_from_there(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, train_steps=200)
    folder = run_folder_of(manifest, Path())
    backend = FakeBackend(step_seconds=0.02)
    worker = threading.Thread(target=run, args=(manifest, backend))
    worker.start()
    while not folder.metrics()[0]:
        time.sleep(0.01)
    folder.stop_file.touch()
    worker.join()
    state = folder.state()
    assert state.status is RunStatus.STOPPED
    assert 0 < state.train_step < 200
    backend.step_seconds = 0.0
    resumed = run(manifest, backend)
    assert resumed.state().status is RunStatus.SUCCEEDED
    steps = [r.train_step for r in resumed.metrics()[0] if r.kind == "train"]
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


def test_an_export_comes_with_a_card_of_its_run(manifest: RunManifest, tmp_path: Path) -> None:
    folder = run(manifest, FakeBackend())
    phases: list[str] = []
    report = execute_export(manifest, folder, tmp_path / "out", FakeBackend(), on_phase=phases.append)
    assert (report.train_step, phases) == (10, ["writing"])
    assert "| Train steps | 10," in (tmp_path / "out" / "README.md").read_text()


def test_a_run_that_goes_on_is_not_exported(manifest: RunManifest, tmp_path: Path) -> None:
    folder = run(manifest, FakeBackend())
    folder.write_state(RunState(status=RunStatus.RUNNING))
    with pytest.raises(Conflict, match="running"):
        execute_export(manifest, folder, tmp_path / "out", FakeBackend())
    assert not (tmp_path / "out").exists()


def test_a_model_is_not_checked_on_other_data_than_it_was_trained_on(manifest: RunManifest, tmp_path: Path) -> None:
    folder = run(manifest, FakeBackend())
    Path(manifest.data.path).write_text("{}\n")
    with pytest.raises(InvalidManifest, match="has changed"):
        execute_export(manifest, folder, tmp_path / "out", FakeBackend())


def test_a_stop_that_says_why_is_the_message_of_the_run(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, train_steps=10_000)
    stop = StopRequest()
    stop.ask("Stopped by SIGTERM.")
    stop.ask("Stopped for another reason.")
    folder = run(manifest, FakeBackend(), stop)
    assert (folder.state().status, folder.state().message) == (RunStatus.STOPPED, "Stopped by SIGTERM.")


def test_a_save_file_of_an_earlier_process_asks_for_nothing(manifest: RunManifest) -> None:
    folder = run_folder_of(manifest, Path())
    folder.create()
    folder.save_file.touch()
    run(manifest, FakeBackend(step_seconds=0.05))
    assert not folder.save_file.exists()
    assert [r for r in folder.metrics()[0] if r.kind == "checkpoint"] == []


def test_alerts_are_raised_while_it_trains(tmp_path: Path) -> None:
    folder = run(make_manifest(tmp_path, train_steps=60), FakeBackend(loss=lambda step: 9.0 if step == 40 else 2.0))
    found = [(r.alert, r.train_step) for r in folder.metrics()[0] if r.kind == "alert"]
    assert found == [("loss_spike", 40)]


class Sink:
    """Fails at a record, as the disk or the network of another program would."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.told: list[str] = []

    def plan(self, plan: TrainPlan) -> None:
        self.told.append("plan")

    def record(self, record: Known) -> None:
        self.told.append(record.kind)
        if record.train_step == self.fails_at:
            raise RuntimeError("no connection")

    def close(self) -> None:
        self.told.append("close")


def test_a_sink_that_fails_is_a_warning_in_the_log_once_and_not_the_end_of_the_run(manifest: RunManifest) -> None:
    broken, whole = Sink(fails_at=3), Sink()
    folder = run(manifest, FakeBackend(sinks=[broken, whole]))
    assert folder.state().status is RunStatus.SUCCEEDED
    assert broken.told == ["plan", "train", "train", "train"]
    assert whole.told == ["plan", *["train"] * 10, "eval", "close"]
    assert (
        folder.log_tail().count("Warning: Sink receives no more metrics of this run: RuntimeError: no connection") == 1
    )
