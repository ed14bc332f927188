"""Owners of runs: attempts, signs of life, and the writer that comes too late."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tunixrt_core.errors import Superseded
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.owners import this_owner
from tunixrt_core.util.processes.identity import this_process

DEAD = "999999999:1:gone"
ELSEWHERE = "pid:4711:123:another-boot:another-machine"
OLD_NAME = this_process()  # as an older version wrote it


def test_a_run_on_another_machine_trains_until_a_minute_after_its_last_sign_of_life(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    for age, status in ((59.0, RunStatus.RUNNING), (61.0, RunStatus.INTERRUPTED)):
        folder.write_state(RunState(RunStatus.RUNNING, owner=ELSEWHERE, updated_at=time.time() - age))
        assert folder.state().status is status


def test_the_state_of_an_older_version_names_its_process(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    for name, status in ((OLD_NAME, RunStatus.RUNNING), (DEAD, RunStatus.INTERRUPTED)):
        write_json(folder.state_file, {"status": "running", "train_step": 3, "process": name})
        state = folder.state()
        assert (state.status, state.owner, state.train_step, state.attempt) == (status, name, 3, 0)
    assert folder.next_attempt() == (this_owner(), 1)


def test_who_finds_a_higher_attempt_writes_nothing(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    folder.write_queued()
    mine = folder.state()
    taken = replace(mine, owner=ELSEWHERE, attempt=mine.attempt + 1, updated_at=time.time())
    folder.write_state(taken)
    with pytest.raises(Superseded, match=rf"attempt {taken.attempt}, this is attempt {mine.attempt}"):
        folder.write_state(replace(mine, status=RunStatus.RUNNING))
    folder.beat()
    folder.write_stopped_before_start()
    assert folder.state() == taken


def test_a_run_that_waits_shows_that_its_process_is_alive(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    folder.write_queued()
    waiting = folder.state()
    folder.write_state(replace(waiting, updated_at=1.0))
    folder.beat()
    assert folder.state().updated_at >= waiting.updated_at
    assert replace(folder.state(), updated_at=waiting.updated_at) == waiting


def test_each_start_has_the_next_attempt(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    assert folder.next_attempt().number == 1
    folder.write_queued()
    assert folder.next_attempt().number == 1, "the one that waits here"
    folder.write_state(replace(folder.state(), status=RunStatus.STOPPED))
    assert folder.next_attempt().number == 2


def test_a_state_that_cannot_be_read_still_counts_its_starts(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    write_json(folder.state_file, {"status": "nonsense", "attempt": 5})
    attempt = folder.next_attempt()
    assert attempt.number == 6
    folder.write_state(RunState(owner=attempt.owner, attempt=attempt.number))
    assert folder.state().attempt == 6
