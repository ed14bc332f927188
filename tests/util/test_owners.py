"""Who has a piece of work: a process of this machine, known exactly, or of another, known by its sign of life."""

from __future__ import annotations

import os
import threading
import time

import pytest

from tunixrt_core.util import owners
from tunixrt_core.util.owners import LOST_SECONDS, Heartbeat, alive, is_ours, local_pid, this_owner, words

NOW = 1_000_000.0
ELSEWHERE = "pid:4711:123:another-boot:another-machine"


def test_this_process_is_alive_however_old_its_sign_of_life_is() -> None:
    assert is_ours(this_owner())
    assert alive(this_owner(), beat=0.0)
    assert (local_pid(this_owner()), words(this_owner())) == (os.getpid(), f"process {os.getpid()}")


def test_a_dead_process_of_this_machine_is_dead_at_once_also_after_a_boot() -> None:
    kind, pid, started, boot, machine = this_owner().split(":")
    assert not alive(f"{kind}:{pid}:{int(started) - 1}:{boot}:{machine}", beat=NOW, now=NOW)
    assert not alive(f"{kind}:{pid}:{started}:the-boot-before:{machine}", beat=NOW, now=NOW)
    renamed = f"{kind}:{pid}:{int(started) - 1}:{boot}:a-container-made-again"
    assert not alive(renamed, beat=NOW, now=NOW)


def test_a_process_of_another_machine_is_alive_for_a_minute_after_its_last_sign() -> None:
    assert alive(ELSEWHERE, beat=NOW - LOST_SECONDS + 1, now=NOW)
    assert not alive(ELSEWHERE, beat=NOW - LOST_SECONDS, now=NOW)
    assert (local_pid(ELSEWHERE), words(ELSEWHERE)) == (None, "process 4711 on another machine")


def test_the_word_of_an_older_version_is_the_process_alone_and_always_of_this_machine() -> None:
    assert alive(this_owner().removeprefix("pid:").rpartition(":")[0], beat=0.0)
    assert not alive("4711:123:another-boot", beat=NOW, now=NOW)
    assert not alive("", beat=NOW, now=NOW)
    assert local_pid("4711:123:another-boot") == 4711


def test_a_heartbeat_beats_until_its_end_and_not_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "BEAT_SECONDS", 0.001)
    beaten, twice = [0], threading.Event()

    def beat() -> None:
        beaten[0] += 1
        if beaten[0] == 2:
            twice.set()

    with Heartbeat(beat):
        assert twice.wait(10)
    before = beaten[0]
    time.sleep(0.02)
    assert beaten[0] == before
