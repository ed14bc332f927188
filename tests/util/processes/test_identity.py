"""A process is known by more than its number."""

from __future__ import annotations

import os
import subprocess
import sys

from tunixrt_core.util.processes.identity import process_alive, resident_bytes, this_process


def test_this_process_is_alive() -> None:
    assert process_alive(this_process())


def test_a_process_that_ended_is_not_alive() -> None:
    code = "from tunixrt_core.util.processes.identity import this_process; print(this_process())"
    name = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert not process_alive(name)


def test_another_process_with_the_same_number_is_not_mistaken_for_it() -> None:
    number, _, rest = this_process().partition(":")
    started, _, boot = rest.partition(":")
    assert not process_alive(f"{number}:{int(started) - 1}:{boot}")


def test_the_memory_of_a_process_is_told_while_it_lives() -> None:
    held = resident_bytes(os.getpid())
    assert held is not None
    assert held > 1 << 20
    assert resident_bytes(2**30) is None


def test_nonsense_is_not_alive() -> None:
    assert not process_alive("")
    assert not process_alive("abc:1:2")
