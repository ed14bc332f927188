"""Each thing that needs attention is told once, in a sentence, with the action that resolves it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tunixrt_core.datasets.gates.findings import Action, GateOutcome
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.home.attention import Attention, Seen, of_evaluations, of_run, of_version, ordered
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import Run, RunState, RunStatus

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
VERSION = DatasetVersion("mixed", 2, DatasetSpec("mixed"), "0" * 64, 54, 6, None, NOW)


def run(status: RunStatus, message: str = "") -> Run:
    return Run("r-0140", "tiny", status, {}, "/runs/r-0140", NOW, ended_at=NOW, message=message)


def outcome(gate: str, rows: int, action: Action = "warn") -> GateOutcome:
    return GateOutcome(gate, 1, action, {}, 60, {}, rows)


def record(target: str = "tuned", step: int | None = 40, **more: object) -> EvalRecord:
    made = EvalRecord(
        "r-0140-tuned-40", "r-0140", "tuned", RunStatus.SUCCEEDED, "/e", NOW, {"scorers": {"exact_match": 2}}, NOW
    )
    return replace(made, target=target, train_step=step, **more)  # type: ignore[arg-type]


def only(items: object) -> Attention:
    (item,) = items  # type: ignore[misc]
    assert isinstance(item, Attention)
    return item


def test_a_failed_run_says_why_and_where() -> None:
    item = only(of_run(run(RunStatus.FAILED, "The data file is gone."), RunState(train_step=212)))
    assert (item.kind, item.subject, item.action) == ("failed", "r-0140", "view run")
    assert item.text == "at train step 212: The data file is gone."


def test_a_message_that_names_the_train_step_is_not_told_twice() -> None:
    message = "Loss became NaN at train step 212."
    assert only(of_run(run(RunStatus.FAILED, message), RunState(train_step=212))).text == message


def test_an_interrupted_run_is_resumed() -> None:
    assert only(of_run(run(RunStatus.INTERRUPTED, "Its process ended."), RunState())).action == "resume"


def test_a_resume_that_was_refused_is_told_of_a_finished_run() -> None:
    item = only(of_run(run(RunStatus.SUCCEEDED), RunState(refused="The rows changed.", alerts={"plateau": 1})))
    assert (item.kind, item.action) == ("warning", "view run")
    assert item.text == "was not resumed, and is as before: The rows changed."


def test_alerts_of_a_run_are_counted_by_name() -> None:
    state = RunState(alerts={"loss_spike": 2, "plateau": 1})
    item = only(of_run(run(RunStatus.SUCCEEDED), state))
    assert (item.kind, item.text) == ("alert", "raised alerts: loss spike (2 times), plateau.")
    again = only(of_run(run(RunStatus.SUCCEEDED), RunState(alerts={"loss_spike": 3})))
    assert again.key != item.key


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.STOPPED, RunStatus.RUNNING, RunStatus.QUEUED])
def test_a_run_without_alerts_needs_none(status: RunStatus) -> None:
    assert list(of_run(run(status), RunState())) == []


def test_contamination_is_told_before_gates_that_found_more() -> None:
    item = only(of_version(VERSION, [outcome("near_duplicate", 50), outcome("contamination", 3)]))
    assert (item.gate, item.rows, item.target, item.action) == ("contamination", 3, "mixed:2", "review rows")
    assert item.text.startswith("keeps 3 rows that a gate warned of: ")


@pytest.mark.parametrize("outcomes", [[], [outcome("contamination", 0)], [outcome("contamination", 9, "exclude")]])
def test_gates_that_found_nothing_or_left_it_out_need_none(outcomes: list[GateOutcome]) -> None:
    assert list(of_version(VERSION, outcomes)) == []


def test_an_older_scorer_makes_an_evaluation_stale() -> None:
    item = only(of_evaluations([record()], {"exact_match": 3}, {}))
    assert (item.kind, item.action, item.target) == ("stale", "score again", "r-0140-tuned-40")
    assert item.text == "was scored by exact_match v2, which is v3 now."
    assert list(of_evaluations([record()], {"exact_match": 2}, {})) == []


def test_a_scorer_with_a_setting_goes_by_its_name() -> None:
    scored = record(metrics={"scorers": {"contains=yes": 1}})
    assert only(of_evaluations([scored], {"contains": 2}, {})).text.startswith("was scored by contains=yes v1")
    assert list(of_evaluations([scored], {"exact_match": 9}, {})) == []


def test_a_run_that_trained_on_is_evaluated_again() -> None:
    item = only(of_evaluations([record()], {}, {"r-0140": (80, LATER)}))
    assert (item.action, item.target) == ("evaluate again", "r-0140")
    assert item.text == "was evaluated at train step 40; the run has trained on to 80."


def test_the_base_model_does_not_train_and_an_old_checkpoint_asked_for_later_is_not_stale() -> None:
    assert list(of_evaluations([record("base", None)], {}, {"r-0140": (80, LATER)})) == []
    assert list(of_evaluations([record()], {}, {"r-0140": (80, NOW)})) == []


def test_only_the_newest_evaluation_of_a_question_counts() -> None:
    assert list(of_evaluations([record(step=80), record()], {"exact_match": 2}, {"r-0140": (80, LATER)})) == []


def test_a_failed_evaluation_says_why() -> None:
    item = only(of_evaluations([record(status=RunStatus.FAILED, message="No room.")], {}, {}))
    assert (item.kind, item.text) == ("failed", "was not evaluated: No room.")


def test_the_gravest_come_first_and_then_the_newest() -> None:
    def item(kind: str, at: datetime) -> Attention:
        return Attention(f"{kind} {at}", kind, "s", "t", "view run", "r", at)  # type: ignore[arg-type]

    items = [item("stale", LATER), item("failed", NOW), item("failed", LATER), item("damaged", NOW)]
    assert [(one.kind, one.at) for one in ordered(items)] == [
        ("damaged", NOW),
        ("failed", LATER),
        ("failed", NOW),
        ("stale", LATER),
    ]


def test_what_was_seen_is_kept_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "home" / "seen.json"
    assert Seen(file).keys() == frozenset()
    Seen(file).add(["a", "b"])
    Seen(file).add(["c"])
    assert Seen(file).keys() == {"a", "b", "c"}


def test_a_damaged_file_counts_as_nothing_seen_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "seen.json"
    file.write_text("{half", encoding="utf-8")
    assert Seen(file).keys() == frozenset()
    assert "is not JSON" in caplog.text
