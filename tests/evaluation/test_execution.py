"""An evaluation finds what it needs before it begins, and its folder says how it went."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import InvalidDataset, InvalidEvaluation, InvalidManifest, ModelError, NotFound, Superseded
from tunixrt_core.evaluation.execution import execute_evaluation
from tunixrt_core.evaluation.folder import EvalState
from tunixrt_core.evaluation.planning import EvalPlan, plan_evaluation
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.evaluation_record import Target
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.execution import execute_training, run_folder_of
from tunixrt_core.training.trainer import LoadGenerator


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    return make_manifest(tmp_path, train_steps=6)


@pytest.fixture
def folder(manifest: RunManifest) -> RunDir:
    found = run_folder_of(manifest, Path())
    execute_training(manifest, found, FakeBackend(), stop=threading.Event())
    return found


def plan(manifest: RunManifest, folder: RunDir, target: Target = "tuned", **asked: object) -> EvalPlan:
    return plan_evaluation(manifest, folder, target, EvalRequest(**asked))  # type: ignore[arg-type]


@pytest.mark.parametrize(("target", "share"), [("base", 0.0), ("tuned", 1.0)])
def test_the_tuned_model_is_the_one_with_the_checkpoint(
    manifest: RunManifest, folder: RunDir, target: Target, share: float
) -> None:
    states: list[EvalState] = []
    planned = plan(manifest, folder, target)
    summary = execute_evaluation(planned, FakeBackend(), on_state=states.append)
    assert summary["exact_match"] == share
    seen = [(state.status.value, state.phase, state.done) for state in states]
    looked = [("loading", "comparing", 0)] if target == "tuned" else []
    assert seen == [
        ("queued", "", 0),
        *looked,
        ("loading", "loading", 0),
        ("compiling", "compiling", 0),
        ("running", "compiling", 2),
        ("running", "compiling", 3),
        ("succeeded", "", 3),
    ]
    assert planned.folder.state() == states[-1]
    assert len(planned.folder.predictions()) == 3
    assert planned.folder.spec() == planned.spec


def test_its_folder_is_named_by_model_train_step_and_what_was_asked(manifest: RunManifest, folder: RunDir) -> None:
    base, tuned, other = plan(manifest, folder, "base"), plan(manifest, folder), plan(manifest, folder, limit=2)
    assert tuned.spec.name == f"tuned-6-{tuned.spec.setup.hash[:8]}"
    assert base.spec.name == f"base-{tuned.spec.setup.hash[:8]}"
    assert other.spec.name != tuned.spec.name


def test_a_limit_of_rows_is_kept(manifest: RunManifest, folder: RunDir) -> None:
    assert execute_evaluation(plan(manifest, folder, limit=2), FakeBackend())["rows"] == 2


class NoModel(FakeBackend):
    def load_generator(self) -> LoadGenerator:
        raise ModelError("There is no model here.")


def test_what_is_answered_needs_no_model_a_second_time(manifest: RunManifest, folder: RunDir) -> None:
    first = execute_evaluation(plan(manifest, folder), FakeBackend())
    assert execute_evaluation(plan(manifest, folder), NoModel()) == first
    scored = execute_evaluation(plan(manifest, folder, scorers=("exact_match",)), NoModel())
    assert set(scored["scorers"]) == {"exact_match", "flexible_match"}
    with pytest.raises(ModelError):
        execute_evaluation(plan(manifest, folder), NoModel(), again=True)


def test_again_answers_anew(manifest: RunManifest, folder: RunDir) -> None:
    execute_evaluation(plan(manifest, folder), FakeBackend(right=False))
    assert execute_evaluation(plan(manifest, folder), FakeBackend())["exact_match"] == 0.0
    assert execute_evaluation(plan(manifest, folder), FakeBackend(), again=True)["exact_match"] == 1.0


def test_a_failed_repetition_keeps_the_answers_from_before(manifest: RunManifest, folder: RunDir) -> None:
    planned = plan(manifest, folder)
    summary = execute_evaluation(planned, FakeBackend())
    answers = planned.folder.predictions()
    with pytest.raises(ModelError):
        execute_evaluation(planned, NoModel(), again=True)
    state = planned.folder.state()
    assert state is not None
    assert (state.status, planned.folder.summary(), planned.is_done) == (RunStatus.SUCCEEDED, summary, True)
    assert state.message == "Not evaluated again, the earlier answers are kept: There is no model here."
    assert planned.folder.predictions() == answers


def test_a_finished_one_that_waited_in_a_process_that_died_is_finished(manifest: RunManifest, folder: RunDir) -> None:
    planned = plan(manifest, folder)
    execute_evaluation(planned, FakeBackend())
    planned.folder.write_state(EvalState(owner="999999999:1:gone"))
    state = planned.folder.state()
    assert state is not None
    assert state.status is RunStatus.SUCCEEDED


def test_a_failure_stands_in_the_folder_too(manifest: RunManifest, folder: RunDir) -> None:
    planned = plan(manifest, folder)
    with pytest.raises(ModelError):
        execute_evaluation(planned, NoModel())
    state = planned.folder.state()
    assert state is not None
    assert (state.status, state.message) == (RunStatus.FAILED, "There is no model here.")


def test_a_stop_file_from_another_process_stops_it_and_the_answers_stay(manifest: RunManifest, folder: RunDir) -> None:
    planned = plan(manifest, folder)

    def ask(state: EvalState) -> None:
        if state.done == 2:
            planned.folder.stop_file.touch()
        if state.done == 2 and state.phase == "compiling":
            stop.set()

    stop = threading.Event()
    summary = execute_evaluation(planned, FakeBackend(), on_state=ask, stop=stop)
    assert (summary["answers"], summary["planned"]) == (2, 3)
    state = planned.folder.state()
    assert state is not None
    assert state.status is RunStatus.STOPPED
    assert "evaluate again to resume" in state.message
    assert execute_evaluation(planned, FakeBackend())["answers"] == 3


def test_one_that_was_started_again_elsewhere_stops_and_writes_no_state(manifest: RunManifest, folder: RunDir) -> None:
    planned = plan(manifest, folder)

    def take_over(state: EvalState) -> None:
        if state.done == 2:
            taken = replace(state, owner="pid:4711:123:another-boot:another-machine", attempt=state.attempt + 1)
            planned.folder.write_state(taken)

    with pytest.raises(Superseded, match=r"attempt 2, this is attempt 1"):
        execute_evaluation(planned, FakeBackend(), on_state=take_over)
    state = planned.folder.state()
    assert state is not None
    assert (state.status, state.attempt, planned.folder.summary()) == (RunStatus.RUNNING, 2, None)


def test_one_shows_that_it_is_alive_while_nothing_is_answered(
    manifest: RunManifest, folder: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunixrt_core.util.owners.BEAT_SECONDS", 0.01)
    planned = plan(manifest, folder)

    def wait(state: EvalState) -> None:
        if state.phase == "compiling" and not state.done:
            while (now := planned.folder.state()) is None or now.updated_at == state.updated_at:
                time.sleep(0.01)
            seen.append(now)

    seen: list[EvalState] = []
    execute_evaluation(planned, FakeBackend(), on_state=wait)
    assert [state.phase for state in seen] == ["compiling"]


def test_what_a_dead_process_left_reads_as_interrupted(manifest: RunManifest, folder: RunDir) -> None:
    planned = plan(manifest, folder)
    planned.show_queued()
    planned.folder.write_state(EvalState(status=RunStatus.RUNNING, owner="999999999:1:gone"))
    state = planned.folder.state()
    assert state is not None
    assert state.status is RunStatus.INTERRUPTED


def test_what_is_missing_is_said_before_anything_begins(manifest: RunManifest, folder: RunDir, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="checkpoint '9'"):
        plan(manifest, folder, checkpoint="9")
    with pytest.raises(InvalidEvaluation, match="There is no scorer 'nice'"):
        plan(manifest, folder, scorers=("nice",))
    empty = make_manifest(tmp_path, train_steps=1, eval_rows=0)
    with pytest.raises(InvalidDataset, match="eval split"):
        plan(empty, folder, "base")
    Path(manifest.data.path).write_text("")
    with pytest.raises(InvalidManifest, match="changed"):
        plan(manifest, folder)


def test_what_the_model_was_trained_on_is_found_and_kept(manifest: RunManifest, folder: RunDir, tmp_path: Path) -> None:
    file = tmp_path / "asked.jsonl"
    file.write_text('{"prompt": "Task 1:", "expected_answer": "1"}\n{"prompt": "Task 99:", "expected_answer": "9"}\n')
    planned = plan(manifest, folder, eval_file=file)
    execute_evaluation(planned, FakeBackend())
    leaks = planned.folder.leaks()
    assert leaks is not None
    assert (leaks.exact, leaks.eval_rows, leaks.train_rows) == (1, 2, 4)
    base = plan(manifest, folder, "base", eval_file=file)
    execute_evaluation(base, FakeBackend())
    assert base.folder.leaks() is None, "the base model was not trained on any"


def test_an_eval_file_can_be_asked_where_the_data_is_gone(
    manifest: RunManifest, folder: RunDir, tmp_path: Path
) -> None:
    file = tmp_path / "asked.jsonl"
    file.write_text('{"prompt": "Task 99:", "expected_answer": "9"}\n')
    backend = FakeBackend(right=False)
    Path(manifest.data.path).write_text("")
    planned = plan(manifest, folder, eval_file=file)
    assert execute_evaluation(planned, backend)["rows"] == 1
    assert planned.folder.leaks() is None


def test_a_bad_row_of_an_eval_file_is_named_before_anything_begins(
    manifest: RunManifest, folder: RunDir, tmp_path: Path
) -> None:
    file = tmp_path / "asked.jsonl"
    file.write_text('{"prompt": "Task 99:", "expected_answer": "9"}\n{"prompt": "Task 98:"}\n')
    with pytest.raises(InvalidEvaluation, match=r"asked\.jsonl:2"):
        plan(manifest, folder, eval_file=file)
