"""One job at a time over all processes, and nobody waits for a process that is dead."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tunixrt_core.errors import Busy, OutputError
from tunixrt_core.jobs.accelerator import Accelerator, Holder

HOLD = """
import sys, time
from pathlib import Path
from tunixrt_core.jobs.accelerator import Accelerator
held = Accelerator(Path(sys.argv[1])).take("r-0007", "train")
print("held" if held else "refused", flush=True)
time.sleep(60)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "accelerator.lock"


def other_process(file: Path) -> subprocess.Popen[str]:
    """One that holds the accelerator until it is ended."""
    command = [sys.executable, "-c", HOLD, str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_what_is_held_cannot_be_taken_and_what_is_released_can(file: Path) -> None:
    accelerator = Accelerator(file)
    held = accelerator.take("r-0001", "train")
    assert held is not None
    holder = accelerator.holder()
    assert holder is not None
    assert (holder.run, holder.kind, holder.ours) == ("r-0001", "train", True)
    assert Accelerator(file).take("r-0002", "evaluate") is None
    held.release()
    assert accelerator.holder() is None
    again = accelerator.take("r-0002", "evaluate")
    assert again is not None
    again.release()


def test_another_process_that_holds_it_is_named_and_frees_it_by_dying(file: Path) -> None:
    process = other_process(file)
    accelerator = Accelerator(file)
    with pytest.raises(Busy, match=rf"held by process {process.pid}, which trains r-0007 since \d\d:\d\d"):
        with accelerator.hold("r-0001", "train", wait=False):
            pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert accelerator.holder() is None, "the file still names it, but it is dead"
    with accelerator.hold("r-0001", "train", wait=False):
        assert accelerator.holder() is not None


def test_whoever_waits_is_told_for_whom_and_gets_it_next(file: Path) -> None:
    process = other_process(file)
    told: list[Holder | None] = []

    def end(holder: Holder | None) -> None:
        told.append(holder)
        process.kill()
        process.wait()

    began = time.monotonic()
    with Accelerator(file).hold("r-0001", "train", wait=True, on_wait=end):
        assert time.monotonic() - began < 10
    assert told[0] is not None
    assert (told[0].run, told[0].pid) == ("r-0007", process.pid)


def test_it_is_freed_where_the_work_fails(file: Path) -> None:
    accelerator = Accelerator(file)
    with pytest.raises(ZeroDivisionError), accelerator.hold("r-0001", "train", wait=False):
        raise ZeroDivisionError
    assert accelerator.holder() is None


def test_of_many_threads_one_gets_it(file: Path) -> None:
    accelerator, barrier = Accelerator(file), threading.Barrier(8)
    taken: list[bool] = []

    def take() -> None:
        barrier.wait()
        taken.append(accelerator.take("r", "train") is not None)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 1


def test_a_home_where_no_lock_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"accelerator\.lock"):
        Accelerator(tmp_path / "file" / "accelerator.lock").take("r", "train")


def test_a_file_that_says_nothing_useful_names_nobody(file: Path) -> None:
    file.parent.mkdir()
    for text in ("", "{", "[]", '{"run": "r"}'):
        file.write_text(text)
        assert Accelerator(file).holder() is None


def test_a_holder_on_another_machine_is_known_for_a_minute_after_its_last_sign_of_life(file: Path) -> None:
    file.parent.mkdir()
    told = Holder("r-0007", "train", 1.0, "pid:4711:123:another-boot:another-machine")
    file.write_text(json.dumps(asdict(told)))
    found = Accelerator(file).holder()
    assert found == told
    assert (found.pid, found.ours, found.where) == (None, False, "process 4711 on another machine")
    os.utime(file, (1.0, time.time() - 61))
    assert Accelerator(file).holder() is None


def test_who_holds_it_shows_that_it_is_alive(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunixrt_core.util.owners.BEAT_SECONDS", 0.01)
    held = Accelerator(file).take("r-0001", "train")
    assert held is not None
    os.utime(file, (1.0, 1.0))
    while file.stat().st_mtime == 1.0:
        time.sleep(0.01)
    held.release()


def test_a_worker_of_a_cluster_is_followed_by_this_process() -> None:
    found = Holder("r-0007", "train", 1.0, "ray:tunixrt-0ab88482/r-0007#2")
    assert (found.pid, found.ours, found.where) == (None, True, "Ray worker r-0007")
