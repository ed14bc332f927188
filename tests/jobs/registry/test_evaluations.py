"""The list of evaluations follows their folders, also those that the command made."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.jobs.registry.makers import DEAD, run_folder
from tunixrt_core.evaluation.folder import EvalDir, EvalSpec, EvalState
from tunixrt_core.evaluation.sets.setup import EvalSetRef, EvalSetup
from tunixrt_core.jobs.registry.runs import Registry
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.owners import this_owner


def evaluation(folder: RunDir, state: EvalState, **summary: float) -> EvalDir:
    """What an evaluation of a tuned model leaves."""
    setup = EvalSetup(eval_set=EvalSetRef("split", "mine v1", "ab", 3), max_new_tokens=8)
    found = EvalDir(folder.evals / "tuned-6-0123abcd")
    found.path.mkdir(parents=True, exist_ok=True)
    spec = EvalSpec(target="tuned", train_step=6, setup=setup, scorers=("exact_match",))
    write_json(found.spec_file, spec.to_dict())
    if summary:
        write_json(found.summary_file, summary)
    found.write_state(state)
    return found


def test_an_evaluation_that_the_command_made_or_repeated_is_found(registry: Registry, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "r-0001", RunState(RunStatus.SUCCEEDED))
    registry.recover()
    assert registry.evals.list("r-0001") == []
    for share in (0.5, 0.75):
        evaluation(folder, EvalState(status=RunStatus.SUCCEEDED, ended_at=share), exact_match=share)
        (found,) = registry.evals.list()
        assert found.metrics["exact_match"] == share
        assert (found.id, found.train_step) == ("r-0001-tuned-6-0123abcd", 6)
        assert found.setup["eval_set"]["name"] == "mine v1"


def test_an_evaluation_that_a_dead_process_left_is_interrupted(registry: Registry, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "r-0001", RunState(RunStatus.SUCCEEDED))
    registry.recover()
    left = evaluation(folder, EvalState(status=RunStatus.RUNNING, owner=this_owner()))
    assert registry.evals.list()[0].status is RunStatus.RUNNING
    left.write_state(EvalState(status=RunStatus.RUNNING, owner=DEAD))
    assert registry.evals.list()[0].status is RunStatus.INTERRUPTED


def test_an_evaluation_whose_folder_is_gone_does_not_stay_under_way(registry: Registry, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "r-0001", RunState(RunStatus.SUCCEEDED))
    registry.recover()
    left = evaluation(folder, EvalState(status=RunStatus.RUNNING, owner=this_owner()))
    registry.evals.list()
    shutil.rmtree(left.path)
    registry.recover()
    assert registry.evals.list()[0].status is RunStatus.INTERRUPTED


LOST = {
    "gone": (lambda file: file.unlink(), "state.json: the file is missing."),
    "empty": (lambda file: file.write_bytes(b""), "state.json: is empty."),
    "of no status": (lambda file: file.write_text('{"status": "x"}'), "state.json: holds a wrong value"),
}


@pytest.mark.parametrize("how", LOST)
def test_an_evaluation_whose_state_is_lost_is_finished_by_its_summary(
    registry: Registry, tmp_path: Path, how: str
) -> None:
    lose, why = LOST[how]
    folder = run_folder(tmp_path, "r-0001", RunState(RunStatus.SUCCEEDED))
    registry.recover()
    left = evaluation(folder, EvalState(status=RunStatus.RUNNING, owner=DEAD), rows=3, planned=6, exact_match=0.5)
    os.utime(left.summary_file, (1e9, 1e9))
    lose(left.state_file)
    state = left.state()
    assert state is not None
    assert (state.done, state.total) == (6, 6)
    (found,) = registry.evals.list()
    assert (found.status, found.metrics["exact_match"]) == (RunStatus.SUCCEEDED, 0.5)
    assert found.message.startswith(why)
    assert found.ended_at == datetime.fromtimestamp(1e9, UTC)
    assert (found.created_at == found.ended_at) == (how == "gone"), "the time of the first of both files"


@pytest.mark.parametrize("how", LOST)
def test_an_evaluation_whose_state_and_summary_are_lost_is_to_be_made_again(
    registry: Registry, tmp_path: Path, how: str
) -> None:
    lose, why = LOST[how]
    folder = run_folder(tmp_path, "r-0001", RunState(RunStatus.SUCCEEDED))
    registry.recover()
    lose(evaluation(folder, EvalState(status=RunStatus.RUNNING, owner=DEAD)).state_file)
    told = [(found.status, found.message) for found in registry.evals.list()]
    if how == "gone":
        assert told == [], "it never began"
        return
    ((status, message),) = told
    assert status is RunStatus.BROKEN
    assert message.startswith(why.rstrip("."))
    assert message.endswith("Evaluate again.")
