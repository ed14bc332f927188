"""Options and variables of `python -m app`: a wrong one is a sentence on stderr, without a traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import main
from tests.conftest import REPOSITORY
from tunixrt_core.settings import OPTIONS, VARIABLES


def app(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments], capture_output=True, text=True, cwd=REPOSITORY, timeout=60
    )


def test_every_setting_is_an_option() -> None:
    assert set(OPTIONS) == set(VARIABLES)


def test_help_names_every_option_and_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"], {})
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for name, (option, *_) in OPTIONS.items():
        assert name in text.replace("\n", "").replace(" ", "")
        assert option in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "http"], "--port: 'http' is not a whole number"),
        (["--port", "70000"], "--port"),
        (["--max-upload-mb", "0"], "--max-upload-mb"),
        (["--log-level", "LOUD"], "--log-level"),
        (["--database-url", "mysql://x"], "--database-url"),
        (["--token", "short"], "--token"),
        (["--allow-host", "http://tpu.lan"], "--allow-host"),
        (["--allow", "relative"], "--allow: relative is not the absolute path"),
        (["--host", "0.0.0.0", "--no-auth"], "--no-auth"),
        (["--host", "10.0.0.5", "--no-auth"], "--no-auth"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments, {}) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out


def test_a_wrong_variable_is_named_as_a_variable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], {"TUNIXRT_PORT": "http"}) == 2
    assert "TUNIXRT_PORT" in capsys.readouterr().err


def test_an_option_wins_over_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "x"], {"TUNIXRT_PORT": "8502"}) == 2
    assert "'x'" in capsys.readouterr().err


def test_a_wrong_value_ends_the_process_with_2_and_no_traceback() -> None:
    done = app("--port", "http")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_setting_that_the_home_refuses_ends_the_process_with_2_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    done = app("--port", str(port), "--executor", "ray://10.0.0.2:6379?gpus=many")
    assert done.returncode == 2
    assert done.stderr.startswith("error: TUNIXRT_EXECUTOR: gpus=many is not a number")
    assert "Traceback" not in done.stderr


def test_a_taken_port_ends_the_process_with_1_and_names_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = app("--port", str(port), "--no-auth")
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_used_ends_the_process_with_a_sentence(tmp_path: Path) -> None:
    database = tmp_path / "not-a-database.db"
    database.write_text("these are not the bytes of a database, but a good deal of plain text" * 100)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    done = app("--port", str(port), "--database-url", f"sqlite:///{database}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert database.read_text().startswith("these are not")
