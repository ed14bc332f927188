"""Runs in the store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tunixrt_core.errors import Conflict, InvalidQuery, NotFound
from tunixrt_core.runs.record import DatasetRef, Run, RunStatus
from tunixrt_core.store.store import Store

WHEN = datetime(2026, 1, 2, tzinfo=UTC)


def run(id: str = "r1", **change: Any) -> Run:
    values: dict[str, Any] = {
        "id": id,
        "name": "first",
        "status": RunStatus.QUEUED,
        "manifest": {"z": 1, "a": {"b": [1.5, None]}},
        "directory": "/runs/r1",
        "created_at": WHEN,
    }
    return Run(**(values | change))


def test_a_run_comes_back_as_it_was(store: Store) -> None:
    full = run(dataset=DatasetRef("d", 2, "f" * 64), started_at=WHEN, ended_at=WHEN, message="m", request_id="q")
    store.runs.add(full)
    assert store.runs.get("r1") == full
    assert list(store.runs.get("r1").manifest) == ["z", "a"]
    assert store.runs.by_request("q") == full
    assert store.runs.by_request("other") is None


def test_runs_are_counted_by_their_status(store: Store) -> None:
    assert store.runs.by_status() == {}
    for number, status in enumerate((RunStatus.FAILED, RunStatus.SUCCEEDED, RunStatus.FAILED)):
        store.runs.add(run(f"r{number}", status=status))
    assert store.runs.by_status() == {"failed": 2, "succeeded": 1}


def test_an_id_or_request_id_that_is_taken_is_a_conflict(store: Store) -> None:
    store.runs.add(run(request_id="q"))
    for again in (run(), run("r2", request_id="q")):
        with pytest.raises(Conflict, match="already exists"):
            store.runs.add(again)
    store.runs.add(run("r3"))
    store.runs.add(run("r4"))


def test_runs_are_listed_newest_first_in_pages(store: Store) -> None:
    for n in range(5):
        store.runs.add(run(f"r{n}"))
    first = store.runs.list(limit=3)
    assert [r.id for r in first.items] == ["r4", "r3", "r2"]
    assert [r.id for r in store.runs.list(limit=3, after=first.next).items] == ["r1", "r0"]
    with pytest.raises(InvalidQuery):
        store.runs.list(after="nonsense")


def test_a_mirror_takes_over_what_the_folder_says(store: Store) -> None:
    store.runs.add(run(status=RunStatus.INTERRUPTED))
    store.runs.mirror("r1", status=RunStatus.SUCCEEDED, ended_at=WHEN)
    assert (store.runs.get("r1").status, store.runs.get("r1").ended_at) == (RunStatus.SUCCEEDED, WHEN)
    assert store.runs.index() == {"r1": "/runs/r1"}
    with pytest.raises(TypeError, match="request_id"):
        store.runs.mirror("r1", request_id="q")


def test_what_is_not_over_is_found_at_start(store: Store) -> None:
    for status in RunStatus:
        store.runs.add(run(status.value, status=status))
    assert [r.status for r in store.runs.unfinished()] == [s for s in RunStatus if not s.over]


def test_a_run_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(NotFound, match="no run 'x'"):
        store.runs.get("x")
