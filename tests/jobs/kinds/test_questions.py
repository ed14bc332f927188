"""Questions in the queue: both models answer, stay loaded for the next one, and leave before anything else begins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.makers import Records, make_manifest
from tunixrt_core.errors import Busy, Conflict, ModelError, NotFound
from tunixrt_core.evaluation.questions.execution import AskedRun
from tunixrt_core.evaluation.questions.question import Question, QuestionState
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.jobs.kinds.questions import Questions
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.training.execution import run_folder_of
from tunixrt_core.training.trainer import Generation, Generator, LoadGenerator, Trainer


class Kept:
    """A generator that tells when it is closed, and can be held up."""

    compiles = 0

    def __init__(self, inner: Generator, told: list[str], name: str, go: threading.Event) -> None:
        self._inner, self._told, self._name, self._go = inner, told, name, go

    def generate(self, prompts: Any, *, stop: threading.Event | None = None, **asked: Any) -> dict[int, Generation]:
        self._told.append(f"ask {self._name}")
        while not self._go.wait(0.01):
            if stop and stop.is_set():
                return {}
        self.compiles = 1
        return self._inner.generate(prompts, stop=stop, **asked)

    def close(self) -> None:
        self._told.append(f"close {self._name}")


class Watched(FakeBackend):
    """Writes down what is loaded, asked and closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.broken = False

    def trainer(self) -> Trainer:
        self.told.append("train")
        return super().trainer()

    def load_generator(self) -> LoadGenerator:
        inner = super().load_generator()

        def load(manifest: RunManifest, checkpoints: Path | None, *, on_phase: Callable[[str], None]) -> Generator:
            if self.broken:
                raise ModelError("The weights are gone.")
            name = "base" if checkpoints is None else f"tuned {checkpoints.parent.name}"
            self.told.append(f"load {name}")
            return Kept(inner(manifest, checkpoints, on_phase=on_phase), self.told, name, self.go)

        return load


@pytest.fixture
def backend() -> Watched:
    return Watched()


@pytest.fixture
def jobs(tmp_path: Path, backend: Watched) -> Iterator[JobManager]:
    manager = JobManager(Records(), backend, Accelerator(tmp_path / "accelerator.lock"))
    yield manager
    backend.go.set()
    manager.close()


@pytest.fixture
def playground(jobs: JobManager) -> Iterator[Questions]:
    made = Questions(jobs)
    yield made
    made.close()


def run_of(tmp_path: Path, name: str = "a") -> AskedRun:
    """A run that ended at train step 6."""
    manifest = make_manifest(tmp_path, train_steps=6)
    folder = RunDir(tmp_path / name)
    (folder.checkpoints / "6").mkdir(parents=True, exist_ok=True)
    folder.write_state(RunState(status=RunStatus.SUCCEEDED, train_step=6))
    return AskedRun(name, manifest, folder)


def question(**changes: Any) -> Question:
    return Question(**{"run_id": "a", "prompt": "Task 4:", **changes})


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def train(jobs: JobManager, tmp_path: Path, name: str = "t", steps: int = 1) -> None:
    manifest = make_manifest(tmp_path, train_steps=steps).model_copy(update={"output_dir": str(tmp_path / name)})
    jobs.submit_training(name, manifest, run_folder_of(manifest, Path()))


def test_base_and_tuned_answer_and_say_what_they_are(playground: Questions, jobs: JobManager, tmp_path: Path) -> None:
    state = playground.ask(question(), run_of(tmp_path))
    assert (state.status, state.answers) == (RunStatus.QUEUED, ())
    assert jobs.wait(20)
    done = playground.get(state.id)
    assert (done.status, done.phase, done.message) == (RunStatus.SUCCEEDED, "", "")
    base, tuned = done.answers
    assert (base.model, base.train_step, base.answer) == ("tiny", None, "wrong")
    assert (tuned.model, tuned.train_step, tuned.answer) == ("a tuned, train step 6", 6, "4")
    assert (tuned.steps, tuned.tokens, tuned.hit_limit, tuned.compiled) == (("so",), 5, False, True)
    assert tuned.prompt_tokens > 0


def test_a_second_question_loads_nothing_and_another_run_closes_what_is_there(
    playground: Questions, jobs: JobManager, backend: Watched, tmp_path: Path
) -> None:
    for _ in range(2):
        state = playground.ask(question(), run_of(tmp_path))
        assert jobs.wait(20)
    assert backend.told == ["load base", "ask base", "load tuned a", "ask tuned a", "ask base", "ask tuned a"]
    assert not any(answered.compiled for answered in playground.get(state.id).answers)
    backend.told.clear()
    playground.ask(question(run_id="b", targets=("tuned",)), run_of(tmp_path, "b"))
    assert jobs.wait(20)
    assert backend.told == ["close base", "close tuned a", "load tuned b", "ask tuned b"]
    assert playground.loaded == ("tuned",)


def test_another_checkpoint_leaves_the_base_model_loaded(
    playground: Questions, jobs: JobManager, backend: Watched, tmp_path: Path
) -> None:
    asked = run_of(tmp_path)
    (asked.folder.checkpoints / "3").mkdir()
    playground.ask(question(), asked)
    playground.ask(question(checkpoint="3"), asked)
    assert jobs.wait(20)
    assert [word for word in backend.told if not word.startswith("ask")] == [
        "load base",
        "load tuned a",
        "close tuned a",
        "load tuned checkpoints",
    ]


def test_the_models_leave_before_a_training_begins(
    playground: Questions, jobs: JobManager, backend: Watched, tmp_path: Path
) -> None:
    playground.ask(question(), run_of(tmp_path))
    assert jobs.wait(20)
    train(jobs, tmp_path)
    assert jobs.wait(20)
    assert backend.told[-3:] == ["close base", "close tuned a", "train"]
    assert playground.loaded == ()


def test_while_something_else_has_the_accelerator_the_holder_is_named(
    playground: Questions, jobs: JobManager, backend: Watched, tmp_path: Path
) -> None:
    backend.step_seconds = 0.01
    train(jobs, tmp_path, "t", steps=100_000)
    until(lambda: jobs.queue().holder)
    with pytest.raises(Busy, match="which trains t since"):
        playground.ask(question(), run_of(tmp_path))
    assert "which trains t since" in playground.busy()
    jobs.stop("t")
    assert jobs.wait(20)
    assert playground.busy() == ""


def test_a_job_that_waits_and_another_process_are_named_too(
    playground: Questions, jobs: JobManager, backend: Watched, tmp_path: Path
) -> None:
    held = Accelerator(tmp_path / "accelerator.lock").take("r-elsewhere", "export")
    assert held is not None
    with pytest.raises(Busy, match="exports r-elsewhere"):
        playground.ask(question(), run_of(tmp_path))
    held.release()
    ask_and_hold(playground, backend, tmp_path)
    train(jobs, tmp_path, "t")
    with pytest.raises(Busy, match="t waits for the accelerator"):
        playground.ask(question(), run_of(tmp_path))
    backend.go.set()
    assert jobs.wait(20)


def ask_and_hold(playground: Questions, backend: Watched, tmp_path: Path) -> QuestionState:
    """A question that is being answered, and stays so until `go`."""
    backend.go.clear()
    state = playground.ask(question(), run_of(tmp_path))
    until(lambda: "ask base" in backend.told)
    return state


def test_a_question_that_is_stopped_keeps_the_answers_that_are_there(
    playground: Questions, jobs: JobManager, backend: Watched, tmp_path: Path
) -> None:
    state, behind = ask_and_hold(playground, backend, tmp_path), playground.ask(question(), run_of(tmp_path))
    told = playground.get(state.id)
    assert (told.status, told.phase, told.target) == (RunStatus.RUNNING, "generating", "base")
    with pytest.raises(Busy, match="being answered"):
        playground.release()
    assert playground.stop(behind.id).message == "Stopped before it began."
    playground.stop(state.id)
    assert jobs.wait(20)
    done = playground.get(state.id)
    assert (done.status, done.message, done.answers) == (RunStatus.STOPPED, "Stopped.", ())
    with pytest.raises(Conflict, match="nothing to stop"):
        playground.stop(state.id)


def test_models_leave_on_request_and_after_a_while_without_a_question(
    jobs: JobManager, backend: Watched, tmp_path: Path
) -> None:
    jobs.models.idle_seconds = 0.05
    soon = Questions(jobs)
    soon.ask(question(), run_of(tmp_path))
    assert jobs.wait(20)
    until(lambda: soon.loaded == ())
    assert backend.told[-2:] == ["close base", "close tuned a"]
    jobs.models.idle_seconds = 600
    patient = Questions(jobs)
    patient.ask(question(), run_of(tmp_path))
    assert jobs.wait(20)
    assert patient.loaded == ("base", "tuned")
    patient.release()
    assert patient.loaded == ()
    patient.close()


def test_a_failure_is_a_sentence_and_holds_no_memory(
    playground: Questions, jobs: JobManager, backend: Watched, tmp_path: Path
) -> None:
    playground.ask(question(targets=("base",)), run_of(tmp_path))
    assert jobs.wait(20)
    backend.broken = True
    failed = playground.ask(question(), run_of(tmp_path))
    assert jobs.wait(20)
    state = playground.get(failed.id)
    assert (state.status, state.message) == (RunStatus.FAILED, "The weights are gone.")
    assert [answered.target for answered in state.answers] == ["base"]
    assert playground.loaded == ()


def test_a_checkpoint_or_question_that_is_not_there_is_not_found(playground: Questions, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There are 6"):
        playground.ask(question(checkpoint="7"), run_of(tmp_path))
    with pytest.raises(NotFound):
        playground.get("q-00000000")


def test_only_the_latest_questions_are_remembered(playground: Questions, jobs: JobManager, tmp_path: Path) -> None:
    asked = run_of(tmp_path)
    ids = []
    for _ in range(52):
        ids.append(playground.ask(question(targets=("base",)), asked).id)
        assert jobs.wait(20)
    with pytest.raises(NotFound):
        playground.get(ids[0])
    assert playground.get(ids[-1]).status is RunStatus.SUCCEEDED
