"""The list of runs follows their folders, also the command's, and one bad folder does not hide the others."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.helpers.makers import make_manifest
from tests.jobs.registry.makers import DEAD, run_folder
from tunixrt_core.jobs.registry.runs import Registry
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.store.store import Store, open_store


def test_a_run_that_the_command_made_is_listed_under_its_folders_name(registry: Registry, tmp_path: Path) -> None:
    run_folder(tmp_path, "r-0003", RunState(RunStatus.SUCCEEDED))
    registry.recover()
    registry.recover()
    assert [(run.id, run.status) for run in registry.page(limit=9, after=None).items] == [("r-0003", "succeeded")]
    assert registry.next_dir().name == "r-0004"


def moved_home(tmp_path: Path, *, copied: bool) -> Path:
    """A home with one run, with its database, at another place than where the run was made."""
    old, new = tmp_path / "old", tmp_path / "new"
    folder = RunDir(old / "runs" / "r-0001")
    folder.create()
    manifest = make_manifest(old, train_steps=1).model_copy(update={"output_dir": str(folder.path)})
    folder.manifest_file.write_text(manifest.to_yaml())
    folder.write_state(RunState(RunStatus.SUCCEEDED))
    with open_store(f"sqlite:///{old}/db") as store:
        Registry(store, old / "runs").recover()
    (shutil.copytree if copied else shutil.move)(old, new)
    return new


@pytest.mark.parametrize("copied", [False, True])
def test_the_runs_of_a_home_that_was_moved_or_copied_are_those_of_the_new_place(tmp_path: Path, copied: bool) -> None:
    home = moved_home(tmp_path, copied=copied)
    with open_store(f"sqlite:///{home}/db") as store:
        registry = Registry(store, home / "runs")
        registry.recover()
        registry.recover()
        (run,) = registry.page(limit=9, after=None).items
    assert run.directory == str(home / "runs" / "r-0001")
    manifest = RunManifest.from_dict(run.manifest)
    assert manifest.output_dir == run.directory
    assert Path(manifest.data.path).is_file()
    assert Path(manifest.data.path).is_relative_to(home)
    assert RunDir(Path(run.directory)).manifest_file.read_text() == manifest.to_yaml()


@pytest.mark.parametrize("copied", [False, True])
def test_a_moved_run_whose_state_is_broken_keeps_its_name(tmp_path: Path, copied: bool) -> None:
    home = moved_home(tmp_path, copied=copied)
    (home / "runs" / "r-0001" / "state.json").write_text("{")
    with open_store(f"sqlite:///{home}/db") as store:
        registry = Registry(store, home / "runs")
        registry.recover()
        (run,) = registry.page(limit=9, after=None).items
    assert (run.id, run.status, run.directory) == ("r-0001", RunStatus.BROKEN, str(home / "runs" / "r-0001"))


def test_another_run_under_a_number_that_is_taken_gets_the_next_one(tmp_path: Path) -> None:
    home = moved_home(tmp_path, copied=True)
    file = home / "runs" / "r-0001" / "manifest.yaml"
    file.write_text(file.read_text().replace("train_steps: 1", "train_steps: 2"))
    with open_store(f"sqlite:///{home}/db") as store:
        registry = Registry(store, home / "runs")
        registry.recover()
        assert {run.id for run in registry.page(limit=9, after=None).items} == {"r-0001", "r-0002"}


def test_a_folder_with_another_name_gets_the_next_number(registry: Registry, tmp_path: Path) -> None:
    run_folder(tmp_path, "mine", RunState(RunStatus.STOPPED))
    registry.recover()
    assert registry.run("r-0001").directory == str(tmp_path / "runs" / "mine")


def test_a_manifest_that_cannot_be_read_does_not_keep_the_others_from_being_listed(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_folder(tmp_path, "r-0001", RunState(RunStatus.SUCCEEDED)).manifest_file.write_text("manifest_version: '9.0'")
    run_folder(tmp_path, "r-0002", RunState(RunStatus.SUCCEEDED))
    registry.recover()
    whole, broken = registry.page(limit=9, after=None).items
    assert (whole.id, whole.status) == ("r-0002", "succeeded")
    assert (broken.id, broken.status) == ("r-0001", "broken")
    assert "manifest_version" in broken.message
    assert "r-0001 is broken" in caplog.text


def test_the_status_in_the_list_is_the_one_in_the_folder(registry: Registry, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "r-0001", RunState(RunStatus.STOPPED))
    registry.recover()
    folder.write_state(RunState(RunStatus.RUNNING, owner=DEAD))
    assert registry.run("r-0001").status is RunStatus.INTERRUPTED


def test_reading_a_run_that_has_not_changed_writes_nothing(
    registry: Registry, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = RunState(RunStatus.SUCCEEDED, train_step=1, started_at=1_700_000_000.123457, ended_at=1_700_000_009.7)
    folder = run_folder(tmp_path, "r-0001", state)
    registry.recover()
    written: list[str] = []
    mirror = store.runs.mirror
    monkeypatch.setattr(store.runs, "mirror", lambda run_id, **told: (written.append(run_id), mirror(run_id, **told)))
    registry.run("r-0001")
    registry.run("r-0001")
    assert written == []
    folder.write_state(
        RunState(RunStatus.SUCCEEDED, train_step=2, started_at=1_700_000_000.2, ended_at=1_700_000_020.0)
    )
    registry.run("r-0001")
    registry.run("r-0001")
    assert written == ["r-0001"], "trained for longer by the command: taken over once"


def test_a_run_and_its_state_are_read_together_and_a_change_is_seen_at_once(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_folder(tmp_path, "r-0001", RunState(RunStatus.STOPPED, train_step=3))
    registry.recover()
    monkeypatch.setattr("time.time", lambda clock=time.time: clock() + 3)  # the file did not change for a while
    for _ in range(2):
        run, state = registry.look("r-0001")
        assert state is not None
        assert (run.status, state.train_step) == ("stopped", 3)
    folder.write_state(RunState(RunStatus.SUCCEEDED, train_step=5))
    run, state = registry.look("r-0001")
    assert state is not None
    assert (run.status, state.train_step) == ("succeeded", 5)
    folder.state_file.write_text("no JSON")
    run, state = registry.look("r-0001")
    assert (run.status, state) == ("broken", None)
