"""The table of all runs: from the store, true to the folders, and only what has changed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.registry.makers import run_folder
from tests.runs.test_figures import append, train
from tunixrt_core.jobs.registry import table as table_module
from tunixrt_core.jobs.registry.runs import Registry
from tunixrt_core.jobs.registry.table import COLUMNS, RunTable, TableUpdate
from tunixrt_core.runs.evaluation_record import EvalRecord, Target
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.store.store import Store
from tunixrt_core.util.owners import this_owner

DONE = RunState(RunStatus.SUCCEEDED, train_step=2, total_train_steps=2, started_at=1.0, ended_at=9.0)


@pytest.fixture
def table(store: Store, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunTable]:
    monkeypatch.setattr(table_module, "_LOOK_SECONDS", -1.0)  # look at the folders at every read
    made = RunTable(store, registry)
    yield made
    made.close(10)


def rows(update: TableUpdate) -> dict[str, dict[str, Any]]:
    made = [dict(zip(COLUMNS, row, strict=True)) for row in update.rows]
    return {row["id"]: row for row in made}


def make(registry: Registry, tmp_path: Path, count: int, state: RunState = DONE) -> list[RunDir]:
    folders = [run_folder(tmp_path, f"r-{n:04d}", state) for n in range(1, count + 1)]
    for folder in folders:
        append(folder, train(1, 3.0), train(2, 2.5))
    registry.recover()
    return folders


def test_a_row_has_the_settings_of_the_manifest_and_the_results_of_the_folder(
    table: RunTable, registry: Registry, tmp_path: Path
) -> None:
    make(registry, tmp_path, 2)
    update = table.read()
    assert update.whole
    assert [row[0] for row in update.rows] == ["r-0002", "r-0001"]
    row = rows(update)["r-0001"]
    assert (row["status"], row["model"], row["method"], row["train_loss"]) == ("succeeded", "tiny", "full", 2.5)
    assert (row["train_step"], row["trained_tokens"], row["seconds"], row["started"]) == (2, 200, 2.0, 1)


def test_an_unchanged_table_is_answered_without_rows(table: RunTable, registry: Registry, tmp_path: Path) -> None:
    make(registry, tmp_path, 3)
    first = table.read()
    second = table.read(first.version)
    assert (second.version, second.whole, second.rows, second.gone) == (first.version, False, [], [])


def test_only_what_changed_is_answered_and_a_version_of_another_process_gets_everything(
    table: RunTable, registry: Registry, tmp_path: Path
) -> None:
    make(registry, tmp_path, 3)
    version = table.read().version
    registry.annotate("r-0002", lambda found: found.tagged(["good"]).noted("short"))
    changed = rows(table.read(version))
    assert changed.keys() == {"r-0002"}
    assert (changed["r-0002"]["tags"], changed["r-0002"]["note"]) == (("good",), "short")
    assert len(table.read("other-1").rows) == 3


def test_a_run_that_trains_is_read_from_its_folder(table: RunTable, registry: Registry, tmp_path: Path) -> None:
    live = RunState(RunStatus.RUNNING, train_step=2, total_train_steps=9, started_at=1.0, owner=this_owner())
    (folder,) = make(registry, tmp_path, 1, live)
    update = table.read()
    assert rows(update)["r-0001"]["train_loss"] == 2.5
    append(folder, train(3, 2.25))
    folder.write_state(RunState(**{**live.to_dict(), "train_step": 3}))
    row = rows(table.read(update.version))["r-0001"]
    assert (row["status"], row["train_step"], row["train_loss"]) == ("running", 3, 2.25)


def test_a_run_that_the_command_trained_for_longer_is_read_again(
    table: RunTable, registry: Registry, tmp_path: Path
) -> None:
    (folder,) = make(registry, tmp_path, 1)
    version = table.read().version
    append(folder, train(3, 1.5))
    folder.write_state(RunState(**{**DONE.to_dict(), "train_step": 3, "total_train_steps": 3}))
    os.utime(folder.state_file, ns=(1, folder.state_file.stat().st_mtime_ns + 1))
    row = rows(table.read(version))["r-0001"]
    assert (row["train_step"], row["train_loss"]) == (3, 1.5)


def test_a_run_without_its_folder_is_broken_and_one_that_was_moved_aside_is_gone(
    table: RunTable, registry: Registry, tmp_path: Path
) -> None:
    folders = make(registry, tmp_path, 2)
    version = table.read().version
    shutil.rmtree(folders[0].path)
    update = table.read(version)
    assert rows(update)["r-0001"]["status"] == "broken"
    registry.move_aside("r-0001")
    assert table.read(update.version).gone == ["r-0001"]
    assert [row[0] for row in table.read().rows] == ["r-0002"]


def test_a_run_whose_state_cannot_be_read_is_broken_until_it_is_repaired(
    table: RunTable, registry: Registry, tmp_path: Path
) -> None:
    (folder,) = make(registry, tmp_path, 1)
    version = table.read().version
    whole = folder.state_file.read_bytes()
    folder.state_file.write_bytes(b"{")
    assert rows(table.read(version))["r-0001"]["status"] == "broken"
    folder.state_file.write_bytes(whole)
    assert rows(table.read(version))["r-0001"]["status"] == "succeeded"


def evaluation(run_id: str, target: Target, exact_match: float, **setup: Any) -> EvalRecord:
    name = f"e-{run_id}-{target}-{exact_match}"
    now = datetime.now(UTC)
    return EvalRecord(
        name, run_id, target, RunStatus.SUCCEEDED, "d", now, {"exact_match": exact_match}, now, setup=setup
    )


def test_a_row_has_the_newest_exact_match_of_base_and_tuned_model(
    table: RunTable, store: Store, registry: Registry, tmp_path: Path
) -> None:
    make(registry, tmp_path, 2)
    version = table.read().version
    for value in (0.25, 0.5):
        store.evals.put(evaluation("r-0001", "tuned", value))
    store.evals.put(evaluation("r-0001", "base", 0.125))
    store.evals.put(evaluation("r-0001", "base", 0.0, prompt="own"))
    changed = rows(table.read(version))
    assert changed.keys() == {"r-0001"}
    assert (changed["r-0001"]["base"], changed["r-0001"]["tuned"]) == (0.125, 0.5)


def test_many_folders_are_read_in_the_background(table: RunTable, registry: Registry, tmp_path: Path) -> None:
    make(registry, tmp_path, table_module._AT_ONCE + 4)
    first = table.read()
    assert len(first.rows) == table_module._AT_ONCE + 4
    until = time.monotonic() + 20
    while any(row["train_loss"] is None for row in rows(table.read()).values()):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert table.read().reading == 0


def test_a_lost_database_finds_tags_note_and_archive_mark_in_the_folders(
    store: Store, registry: Registry, tmp_path: Path
) -> None:
    make(registry, tmp_path, 1)
    registry.annotate("r-0001", lambda found: found.tagged(["kept"]))
    store.runs.remove("r-0001")
    registry.recover()
    assert registry.run("r-0001").tags == ("kept",)
