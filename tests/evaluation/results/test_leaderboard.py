"""A leaderboard ranks what was asked the same rows, marks what was asked otherwise, and drops nothing silently."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tunixrt_core.evaluation.results.leaderboard import Entry, leaderboard
from tunixrt_core.evaluation.sets.setup import EvalSetRef, EvalSetup
from tunixrt_core.runs.evaluation_record import EvalRecord, Target
from tunixrt_core.runs.record import DatasetRef, Run, RunStatus
from tunixrt_core.training.trainer import Sampling

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SUMS = EvalSetRef("split", "sums v1", "a" * 64, 100)
SETUP = EvalSetup(eval_set=SUMS, max_new_tokens=64)


def run(name: str, model: str = "tiny", dataset: str = "sums") -> Run:
    manifest = {"model": {"id": model}}
    return Run(name, name, RunStatus.SUCCEEDED, manifest, "/runs", NOON, DatasetRef(dataset, 1, "d" * 64))


def record(
    run_id: str,
    value: float | None,
    *,
    target: Target = "tuned",
    setup: EvalSetup = SETUP,
    hours: int = 0,
    version: int | None = 1,
    **metrics: Any,
) -> EvalRecord:
    told = {"rows": 100, "scorers": {} if version is None else {"exact_match": version}, **metrics}
    return EvalRecord(
        id=f"{run_id}-{target}-{setup.hash[:8]}-{hours}",
        run_id=run_id,
        target=target,
        status=RunStatus.SUCCEEDED,
        directory="/evals",
        created_at=NOON + timedelta(hours=hours),
        metrics=told if value is None else {**told, "exact_match": value},
        train_step=40 if target == "tuned" else None,
        setup=setup.to_dict(),
    )


def only(records: list[EvalRecord], runs: list[Run], **wanted: Any) -> tuple[Entry, ...]:
    """The entries of the one board that these records come to."""
    (board,) = leaderboard(records, runs, **wanted).boards
    return board.entries


def test_entries_are_ranked_best_first_with_their_interval() -> None:
    records = [
        record("r-1", 0.4, exact_match_low=0.3, exact_match_high=0.5),
        record("r-2", 0.8, hours=1, intervals={"exact_match": [0.7, 0.9]}),
        record("r-3", 0.4, hours=2),
    ]
    entries = only(records, [run("r-1"), run("r-2"), run("r-3")])
    assert [entry.runs[0] for entry in entries] == ["r-2", "r-3", "r-1"]  # of equals the newer first
    assert (entries[2].value, entries[2].low, entries[2].high) == (0.4, 0.3, 0.5)
    assert (entries[0].low, entries[0].high) == (0.7, 0.9)
    assert (entries[1].low, entries[1].high) == (None, None)
    assert (entries[0].model, entries[0].dataset, entries[0].train_step) == ("tiny", "sums", 40)


def test_any_metric_ranks_and_the_lowest_comes_first_where_less_is_better() -> None:
    records = [record("r-1", 0.5, mean_tokens=30.0), record("r-2", 0.4, mean_tokens=20.0)]
    entries = only(records, [run("r-1"), run("r-2")], metric="mean_tokens", higher_is_better=False)
    assert [(entry.runs[0], entry.value) for entry in entries] == [("r-2", 20.0), ("r-1", 30.0)]


def test_other_rows_are_another_board_whatever_the_eval_set_is_called() -> None:
    other = replace(SETUP, eval_set=replace(SUMS, sha256="b" * 64))
    board = leaderboard([record("r-1", 0.9), record("r-1", 0.1, setup=other, hours=1)], [run("r-1")])
    assert [[entry.value for entry in each.entries] for each in board.boards] == [[0.1], [0.9]]  # the newest first


def test_the_same_rows_are_one_board_under_all_their_names() -> None:
    renamed = replace(SETUP, eval_set=replace(SUMS, name="sums v2"))
    (board,) = leaderboard([record("r-1", 0.9), record("r-2", 0.1, setup=renamed)], [run("r-1"), run("r-2")]).boards
    assert board.names == ("sums v1", "sums v2")
    assert all(entry.notes == () for entry in board.entries)


@pytest.mark.parametrize(
    ("setup", "version", "note"),
    [
        (replace(SETUP, max_new_tokens=32), 1, "max_new_tokens: 32, others 64"),
        (
            replace(SETUP, samples=4, sampling=Sampling(0.7, 0.9, 20, 3)),
            1,
            "sampling: temperature 0.7, top_p 0.9, top_k 20, seed 3, others greedy",
        ),
        (replace(SETUP, samples=4, sampling=Sampling(0.7)), 1, "answers per row: 4, others 1"),
        (SETUP, 2, "version of exact_match: 2, others 1"),
        (SETUP, None, "version of exact_match: unknown, others 1"),
    ],
)
def test_an_entry_that_was_asked_otherwise_says_so(setup: EvalSetup, version: int | None, note: str) -> None:
    records = [record("r-1", 0.9), record("r-2", 0.8), record("r-3", 0.7, setup=setup, version=version)]
    entries = only(records, [run("r-1"), run("r-2"), run("r-3")])
    assert note in entries[2].notes
    assert entries[0].notes == entries[1].notes == ()


def test_a_base_model_that_several_runs_asked_the_same_stands_there_once() -> None:
    records = [record("r-1", 0.2, target="base"), record("r-2", 0.2, target="base", hours=1), record("r-2", 0.9)]
    entries = only(records, [run("r-1"), run("r-2")])
    assert [(entry.target, entry.runs) for entry in entries] == [("tuned", ("r-2",)), ("base", ("r-2", "r-1"))]
    assert entries[1].eval_id == records[1].id
    assert entries[1].notes == ()


def test_evaluations_of_one_base_model_that_differ_say_so() -> None:
    records = [record("r-1", 0.2, target="base"), record("r-2", 0.25, target="base", hours=1)]
    (entry,) = only(records, [run("r-1"), run("r-2")])
    assert (entry.value, entry.notes) == (0.25, ("its 2 evaluations differ: 0.2 to 0.25",))


def test_base_models_that_are_not_the_same_or_not_asked_the_same_stay_apart() -> None:
    longer = replace(SETUP, max_new_tokens=128)
    records = [
        record("r-1", 0.2, target="base"),
        record("r-2", 0.3, target="base"),
        record("r-1", 0.4, target="base", setup=longer),
        record("r-1", 0.5, target="base", version=2),
    ]
    assert len(only(records, [run("r-1"), run("r-2", model="org/other")])) == 4


def test_a_run_that_is_gone_keeps_its_evaluations_without_a_model() -> None:
    records = [record("r-8", 0.2, target="base"), record("r-9", 0.2, target="base")]
    entries = only(records, [])
    assert [(entry.model, entry.dataset, entry.runs) for entry in entries] == [
        (None, None, ("r-8",)),
        (None, None, ("r-9",)),
    ]
    assert leaderboard(records, [], model="tiny").boards == ()


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({"model": "tiny"}, ["r-1", "r-3"]),
        ({"dataset": "sums"}, ["r-1", "r-2"]),
        ({"model": "tiny", "dataset": "sums"}, ["r-1"]),
        ({"since": NOON + timedelta(hours=1)}, ["r-2", "r-3"]),
        ({"until": NOON + timedelta(hours=1)}, ["r-1", "r-2"]),
        ({"since": NOON + timedelta(hours=1), "until": NOON + timedelta(hours=1)}, ["r-2"]),
    ],
)
def test_a_board_can_be_narrowed_by_dataset_model_and_date(wanted: dict[str, Any], left: list[str]) -> None:
    records = [record(f"r-{i}", 1 - i / 10, hours=i - 1) for i in (1, 2, 3)]
    runs = [run("r-1"), run("r-2", model="org/other"), run("r-3", dataset="words")]
    assert [entry.runs[0] for entry in only(records, runs, **wanted)] == left


def test_evaluations_that_stand_on_no_board_are_counted() -> None:
    unknown = replace(record("r-1", 0.5), setup={})
    unfinished = replace(record("r-1", 0.5), status=RunStatus.STOPPED)
    board = leaderboard([record("r-1", 0.5), record("r-1", None), unknown, unfinished], [run("r-1")])
    assert (board.without_setup, board.without_metric) == (1, 1)
    assert [len(each.entries) for each in board.boards] == [1]


def test_without_evaluations_there_is_no_board() -> None:
    assert leaderboard([], []).boards == ()
