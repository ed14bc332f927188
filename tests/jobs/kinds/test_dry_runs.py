"""Dry runs in the queue: one a manifest at a time, stopped before or while they run, failures in words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.tunix_backend.conftest import make_manifest
from tunixrt_core.errors import NotFound
from tunixrt_core.jobs.kinds.dry_runs import DryRuns
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.store.store import open_store
from tunixrt_core.training.trainer import DryRun, DryRunReport


class Slow(FakeBackend):
    """A dry run that begins, and then waits until it is told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()

    def dry_run(self) -> DryRun:
        def wait(
            manifest: RunManifest, scratch: Path, *, on_phase: Callable[[str], None], stop: threading.Event
        ) -> DryRunReport | None:
            on_phase("compiling")
            self.begun.set()
            assert stop.wait(20)
            return None

        return wait


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Callable[[FakeBackend], JobManager]]:
    with open_store(f"sqlite:///{tmp_path / 'db'}") as store:
        made: list[JobManager] = []

        def make(backend: FakeBackend) -> JobManager:
            made.append(JobManager(store.runs, backend))
            return made[-1]

        yield make
        for one in made:
            one.close()


def test_what_it_found_is_kept_for_the_manifest(tmp_path: Path, jobs: Callable[[FakeBackend], JobManager]) -> None:
    manager, manifest = jobs(FakeBackend()), make_manifest(tmp_path)
    runs = DryRuns(manager)
    begun = runs.start(manifest, tmp_path)
    assert manager.wait(20)
    state = runs.get(begun.id)
    assert (state.status, state.message) == (RunStatus.SUCCEEDED, "")
    assert state.report is not None
    assert state.report.generated == "so"
    assert runs.latest_of(manifest) == state
    assert runs.latest_of(make_manifest(tmp_path, seed=3)) is None


def test_asked_twice_while_it_runs_it_is_one_and_it_can_be_stopped(
    tmp_path: Path, jobs: Callable[[FakeBackend], JobManager]
) -> None:
    backend = Slow()
    manager = jobs(backend)
    manifest, other = make_manifest(tmp_path / "a"), make_manifest(tmp_path / "b", seed=3)
    runs = DryRuns(manager)
    state, waiting = runs.start(manifest, tmp_path), runs.start(other, tmp_path)
    assert backend.begun.wait(20)
    state = runs.get(state.id)
    assert runs.start(manifest, tmp_path) == state
    held = manager.queue().holder
    assert held is not None
    assert (state.status, state.phase, held.run, held.kind) == (RunStatus.RUNNING, "compiling", state.id, "dry run")
    assert manager.stop(waiting.id)
    waiting = runs.get(waiting.id)
    assert (waiting.status, waiting.message) == (RunStatus.STOPPED, "Stopped before it began.")
    assert manager.stop(state.id)
    assert manager.wait(20)
    state = runs.get(state.id)
    assert (state.status, state.report) == (RunStatus.STOPPED, None)


def test_a_failure_is_a_sentence_and_the_queue_goes_on(
    tmp_path: Path, jobs: Callable[[FakeBackend], JobManager]
) -> None:
    manager, manifest = jobs(FakeBackend(fail_at=1)), make_manifest(tmp_path)
    runs = DryRuns(manager)
    state = runs.start(manifest, tmp_path)
    assert manager.wait(20)
    state = runs.get(state.id)
    assert (state.status, state.message) == (RunStatus.FAILED, "The loss became NaN at train step 1.")
    again = runs.start(manifest, tmp_path)
    assert again.id != state.id
    with pytest.raises(NotFound):
        runs.get("dry-00000000")
    other = make_manifest(tmp_path, seed=5)
    Path(other.data.path).write_text("{}")
    changed = runs.start(other, tmp_path)
    assert manager.wait(20)
    changed = runs.get(changed.id)
    assert (changed.status, "data" in changed.message) == (RunStatus.FAILED, True)
