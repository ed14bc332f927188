"""What the page of evaluations shows where nothing is chosen, and in which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.evaluations.board import board_csv, scale
from app.evaluations.compare import conclusion
from app.evaluations.evaluated import asked_words, default_pair, metric_names, value_words
from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.results.comparison import compare
from tunixrt_core.evaluation.results.leaderboard import leaderboard
from tunixrt_core.evaluation.scorers.known import known_scorers
from tunixrt_core.evaluation.sets.setup import EvalSetRef, EvalSetup
from tunixrt_core.runs.evaluation_record import EvalRecord, Target
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.trainer import Sampling

SETUP = EvalSetup(eval_set=EvalSetRef("split", "dial v1", "ab" * 32, 57), max_new_tokens=64)


def record(name: str, target: Target, *, run: str = "r-0001", setup: EvalSetup = SETUP, **more: Any) -> EvalRecord:
    metrics = {"rows": 57, "exact_match": 0.5, "scorers": {"exact_match": 1}, **more}
    step = 40 if target == "tuned" else None
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return EvalRecord(
        name, run, target, RunStatus.SUCCEEDED, "/x", when, metrics, train_step=step, setup=setup.to_dict()
    )


def test_the_newest_tuned_model_stands_beside_its_own_base() -> None:
    records = [record("b2", "base", run="r-0002"), record("t1", "tuned"), record("b1", "base")]
    first, second = default_pair(records)
    assert (first and first.id, second.id) == ("b1", "t1")


def test_the_run_that_the_address_names_comes_first() -> None:
    records = [record("t2", "tuned", run="r-0002"), record("t1", "tuned"), record("b1", "base")]
    first, second = default_pair(records, "r-0001")
    assert (first and first.id, second.id) == ("b1", "t1")


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_while_the_tuned_model_is_still_asked_the_pair_is_the_one_it_will_be(status: RunStatus) -> None:
    going = replace(record("t1", "tuned"), status=status, metrics={})
    for run_id in ("", "r-0001"):
        first, second = default_pair([going, record("b1", "base")], run_id)
        assert (first and first.id, second.id) == ("b1", "t1")
    first, second = default_pair([going, record("t0", "tuned"), record("b1", "base")])
    assert (first and first.id, second.id) == ("b1", "t0"), "one with answers comes first"


def test_a_base_that_was_asked_otherwise_is_not_its_own_and_one_alone_has_no_other() -> None:
    other = EvalSetup(eval_set=SETUP.eval_set, max_new_tokens=64, sampling=Sampling(0.8))
    first, second = default_pair([record("t1", "tuned"), record("b1", "base", setup=other)])
    assert (first and first.id, second.id) == ("b1", "t1"), "better than none, and the board marks what differs"
    assert default_pair([record("t1", "tuned")])[0] is None


def test_scores_stand_in_the_order_in_which_scorers_are_listed() -> None:
    known = {one.name: one for one in known_scorers()}
    found = metric_names(
        [record("t", "tuned", length=5.0, mine=1.0, scorers=dict.fromkeys(("mine", "length", "exact_match"), 1))], known
    )
    assert found == ["exact_match", "length", "mine"]


def test_what_was_asked_is_said_in_one_line() -> None:
    assert asked_words(SETUP) == "57 prompts · greedy · at most 64 tokens"
    drawn = EvalSetup(eval_set=SETUP.eval_set, max_new_tokens=64, samples=4, sampling=Sampling(0.8))
    assert asked_words(drawn) == "57 prompts · 4 answers each · temperature 0.8 · at most 64 tokens"


@pytest.mark.parametrize(
    ("value", "unit", "words"), [(0.474, "share", "47.4%"), (42.04, "tokens", "42.0"), (None, "share", "–")]
)
def test_values_are_written_in_their_unit(value: float | None, unit: str, words: str) -> None:
    assert value_words(value, unit) == words


def test_the_axis_holds_every_interval_and_shares_stay_shares() -> None:
    (board,) = leaderboard([record("t", "tuned", exact_match_low=0.4, exact_match_high=0.98)], []).boards
    low, high = scale(board.entries)
    assert (low, high) == (pytest.approx(0.371), 1.0)


def test_the_board_can_be_taken_to_a_spreadsheet() -> None:
    (board,) = leaderboard([record("t", "tuned", exact_match_low=0.4, exact_match_high=0.6)], []).boards
    head, row = board_csv(board, "exact_match").splitlines()
    assert dict(zip(head.split(","), row.split(","), strict=True)) | {"asked": ""} == {
        "place": "1", "evaluation": "t", "runs": "r-0001", "target": "tuned", "train_step": "40", "model": "",
        "dataset": "", "exact_match": "0.5", "low": "0.4", "high": "0.6", "rows": "57", "asked": "", "notes": "",
    }  # fmt: skip


def answers(right: str) -> list[Prediction]:
    return [
        Prediction(str(i), "p", "5", "o", "5", {"exact_match": float(c == "1")}, 5, False, row=i)
        for i, c in enumerate(right)
    ]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("0000000", "1111110", "r-0001 is better on this eval set."),
        ("1111111", "0000001", "r-0001 is worse on this eval set."),
        ("0000", "1111", "No significant difference on 4 rows."),
        ("10000000000", "01111111111", "r-0001 is better on this eval set. It also broke 1 row that base had right."),
    ],
)
def test_the_conclusion_claims_no_more_than_the_test_allows(first: str, second: str, words: str) -> None:
    assert conclusion(compare(answers(first), answers(second)), "r-0001", "base") == words
