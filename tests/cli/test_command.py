"""The command in the process of a test answers as in one of its own, which a few tests here prove by starting it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.helpers.command import environment, tunixrt, tunixrt_process


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one trace, longer than a line of 80 letters and not of ASCII alone."""
    path = tmp_path_factory.mktemp("command") / "home"
    body = f'{{"question": "Wie groß? 日本 {90 * "x"}", "answer": "#### 4 €"}}\n'.encode()
    assert tunixrt_process("ingest", "-", home=path, stdin=body).returncode == 0
    return path


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (("--help",), b"", 0),
        (("traces", "groups"), b"", 0),
        (("ingest", "-"), b'{"question": 5}\n\xff\xfe\n', 1),
        (("traces", "delete", "--source", "one"), b"n\n", 1),
        (("export", "none"), b"", 1),
        (("runs", "list", "--limit", "many"), b"", 2),
    ],
)
def test_it_is_answered_as_in_a_process_of_its_own(
    home: Path, arguments: tuple[str, ...], stdin: bytes, code: int
) -> None:
    here = tunixrt(*arguments, home=home, stdin=stdin)
    there = tunixrt_process(*arguments, home=home, stdin=stdin)
    assert (here.returncode, here.stdout, here.stderr) == (there.returncode, there.stdout, there.stderr)
    assert there.returncode == code
    assert there.stdout or there.stderr


def state_of_this_process() -> list[object]:
    streams = (sys.argv, sys.stdin, sys.stdout, sys.stderr, sys.excepthook)
    root = logging.getLogger()
    caught = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)]
    return [*map(id, streams), dict(os.environ), Path.cwd(), list(root.handlers), root.level, caught]


def test_nothing_of_it_is_left_in_the_process_of_the_test(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A_VARIABLE", "of the test")
    before = state_of_this_process()
    assert tunixrt("traces", "list", home=home).returncode == 0
    assert tunixrt("nonsense", home=home).returncode == 2
    assert state_of_this_process() == before


def test_it_knows_no_variable_of_the_test(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNIXRT_DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    monkeypatch.setenv("COLUMNS", "20")
    assert "1 of 1" in tunixrt("traces", "list", home=home).stdout
    assert not (tmp_path / "other.db").exists()


def test_a_home_that_is_named_wins_over_the_variable(home: Path, tmp_path: Path) -> None:
    assert "1 of 1" in tunixrt("traces", "list", "--home", home, home=tmp_path / "other").stdout
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("arguments", [("traces", "list"), ("traces", "list", "--json"), ("--help",)])
def test_a_reader_that_goes_away_ends_it_quietly_with_0(home: Path, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "tunixrt_core", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY, env=environment(home)
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0
