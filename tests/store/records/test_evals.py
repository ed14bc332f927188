"""Evaluations in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tunixrt_core.errors import NotFound
from tunixrt_core.runs.evaluation_record import EvalRecord, Target
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.store.store import Store

WHEN = datetime(2026, 1, 2, tzinfo=UTC)


def record(id: str = "e1", run_id: str = "r1") -> EvalRecord:
    return EvalRecord(
        id, run_id, "base", RunStatus.QUEUED, "/runs/r1/evals/e1", WHEN, {"exact_match": 0.5}, setup={"samples": 1}
    )


def test_an_evaluation_comes_back_as_it_was(store: Store) -> None:
    store.evals.put(record())
    assert store.evals.get("e1") == record()
    with pytest.raises(NotFound, match="no evaluation 'x'"):
        store.evals.get("x")


def test_evaluations_are_listed_newest_first_of_one_run_or_of_all(store: Store) -> None:
    for id, run_id in (("e1", "r1"), ("e2", "r2"), ("e3", "r1")):
        store.evals.put(record(id, run_id))
    assert [e.id for e in store.evals.list()] == ["e3", "e2", "e1"]
    assert [e.id for e in store.evals.list("r1")] == ["e3", "e1"]


def test_put_replaces_the_evaluation_with_the_same_id(store: Store) -> None:
    store.evals.put(record())
    store.evals.put(record(run_id="r9"))
    assert store.evals.list() == [record(run_id="r9")]


def test_a_row_follows_its_folder(store: Store) -> None:
    store.evals.put(record())
    store.evals.put(record("e2"))
    store.evals.mirror("e1", status=RunStatus.SUCCEEDED, metrics={"rows": 3}, ended_at=WHEN)
    done = store.evals.get("e1")
    assert (done.status, done.metrics, done.ended_at) == (RunStatus.SUCCEEDED, {"rows": 3}, WHEN)
    assert [e.id for e in store.evals.unfinished()] == ["e2"]
    with pytest.raises(TypeError, match="run_id"):
        store.evals.mirror("e1", run_id="r2")
    with pytest.raises(NotFound):
        store.evals.mirror("e9", status=RunStatus.FAILED)


def test_the_best_is_a_finished_one_of_a_tuned_model(store: Store) -> None:
    def add(id: str, target: Target, status: RunStatus, score: float | None) -> None:
        metrics = {} if score is None else {"exact_match": score}
        store.evals.put(replace(record(id), target=target, status=status, metrics=metrics))

    assert store.evals.best("exact_match") is None
    add("base", "base", RunStatus.SUCCEEDED, 0.9)
    add("stopped", "tuned", RunStatus.STOPPED, 0.8)
    add("other", "tuned", RunStatus.SUCCEEDED, None)
    assert store.evals.best("exact_match") is None
    add("good", "tuned", RunStatus.SUCCEEDED, 0.5)
    add("worse", "tuned", RunStatus.SUCCEEDED, 0.4)
    add("as good", "tuned", RunStatus.SUCCEEDED, 0.5)
    best = store.evals.best("exact_match")
    assert best is not None
    assert best.id == "as good"
