"""Ctrl-C while a file is read: no row is stored, and that is said."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.helpers.command import environment
from tunixrt_core.cli.ingest import Interrupt
from tunixrt_core.pipeline.pipeline import open_home


def test_nothing_of_a_file_is_stored_and_the_exit_code_is_130(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open_home(home) as rt:
        rt.traces.ingest_examples(2)
    process = subprocess.Popen(
        [sys.executable, "-m", "tunixrt_core", "ingest", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
        env=environment(home),
    )
    assert process.stdin is not None
    # far more than a pipe holds: when all of it is written, the command is reading
    process.stdin.write(b"".join(b'{"question": "%d + 1?", "answer": "#### %d"}\n' % (n, n + 1) for n in range(9_000)))
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    assert err.decode().splitlines()[-1] == "Stopped by Ctrl-C. Nothing of standard input was stored."
    with open_home(home) as rt:
        assert rt.traces.count() == 2


def test_it_is_heard_at_once_before_the_first_check_and_then_at_the_next_one() -> None:
    interrupt = Interrupt()
    with interrupt.caught(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    interrupt = Interrupt()
    with interrupt.caught():
        interrupt.check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
