"""A run's states move only where they may, and its state reads back as written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.errors import Conflict
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.util.owners import this_owner


@pytest.mark.parametrize("end", [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.STOPPED, RunStatus.INTERRUPTED])
def test_a_run_that_is_over_moves_only_to_be_resumed(end: RunStatus) -> None:
    assert end.over
    for status in RunStatus:
        if status in (end, RunStatus.QUEUED):
            assert end.to(status) is status
        else:
            with pytest.raises(Conflict, match="cannot become"):
                end.to(status)


def test_a_queued_run_cannot_succeed_before_it_ran() -> None:
    with pytest.raises(Conflict):
        RunStatus.QUEUED.to(RunStatus.SUCCEEDED)


def test_the_state_reads_back_as_it_was_written(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    state = RunState(RunStatus.RUNNING, phase="training", train_step=3, total_train_steps=6, owner=this_owner())
    folder.write_state(state)
    assert folder.state() == state
    assert folder.state().share_done == 0.5
