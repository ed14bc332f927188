"""The server's log is in the home, is its owner's alone, is rotated, and holds no secret."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.server import log_file
from app.server.log_file import follow_server, log_to_file
from tests.app.conftest import Server
from tunixrt_core.errors import OutputError
from tunixrt_core.settings import Settings

TOKEN = "a-token-of-sixteen-and-more"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")})


@pytest.fixture
def handler(settings: Settings) -> Iterator[logging.Handler]:
    hook = threading.excepthook
    made = log_to_file(settings, {"WANDB_API_KEY": "the-key-of-wandb"})
    yield made
    threading.excepthook = hook
    logging.getLogger().removeHandler(made)
    made.close()


def test_only_its_owner_reads_it_whatever_the_umask_says(settings: Settings, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        handler = log_to_file(settings, {})
    finally:
        os.umask(before)
    logging.getLogger().removeHandler(handler)
    handler.close()
    assert stat.S_IMODE(settings.server_log.stat().st_mode) == 0o600


@pytest.mark.usefixtures("handler")
def test_secrets_are_taken_out_tracebacks_included(settings: Settings) -> None:
    log = logging.getLogger("app.test")
    # made after the first line, as at a first start
    log.warning("before the token")
    settings.token_file.write_text(TOKEN, encoding="ascii")
    try:
        raise ValueError(f"refused {TOKEN} and the-key-of-wandb")
    except ValueError:
        log.exception("Authorization: Bearer abcdefgh12345")
    text = settings.server_log.read_text(encoding="utf-8")
    assert "before the token" in text
    assert "ValueError: refused (removed) and (removed)" in text
    assert not any(secret in text for secret in (TOKEN, "the-key-of-wandb", "abcdefgh12345"))


@pytest.mark.usefixtures("handler")
def test_a_bug_that_ends_a_thread_is_in_it(settings: Settings) -> None:
    def broken() -> None:
        raise KeyError("what was looked for")

    thread = threading.Thread(target=broken, name="b-0007")
    thread.start()
    thread.join()
    text = settings.server_log.read_text(encoding="utf-8")
    assert "b-0007 ended with an error" in text
    assert "KeyError: 'what was looked for'" in text


def test_warnings_of_the_server_below_are_in_it_and_its_chatter_is_not(
    settings: Settings, handler: logging.Handler
) -> None:
    theirs = logging.getLogger("uvicorn.test_log_file")
    theirs.propagate = False
    theirs.setLevel(logging.DEBUG)
    follow_server(handler, logging.Formatter())
    theirs.info("GET / 200")
    theirs.error("Exception in ASGI application")
    text = settings.server_log.read_text(encoding="utf-8")
    assert "Exception in ASGI application" in text
    assert "GET /" not in text


def test_it_is_rotated(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "MOST_BYTES", 2_000)
    handler = log_to_file(settings, {})
    for number in range(400):
        logging.getLogger("app.test").error("line %d", number)
    logging.getLogger().removeHandler(handler)
    handler.close()
    files = sorted(settings.server_log.parent.iterdir())
    assert [file.name for file in files] == ["server.log", "server.log.1", "server.log.2", "server.log.3"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert max(file.stat().st_size for file in files) <= 2_000
    assert settings.server_log.read_text(encoding="utf-8").endswith("line 399\n")


def test_a_home_that_cannot_hold_it_is_named(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "logs").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        log_to_file(settings, {})


def test_a_server_writes_one_without_its_token(server: Server) -> None:
    text = (server.home / "logs" / "server.log").read_text(encoding="utf-8")
    assert "Tunix RT" in text
    assert server.token
    assert server.token not in text


@pytest.mark.usefixtures("handler")
def test_a_second_server_of_the_home_writes_a_log_of_its_own(settings: Settings) -> None:
    second = log_to_file(settings, {})
    try:
        log_file.note(second, "from the second one")
    finally:
        logging.getLogger().removeHandler(second)
        second.close()
    assert "from the second one" not in settings.server_log.read_text(encoding="utf-8")
    own = settings.server_log.with_name("server-8501.log")
    assert "from the second one" in own.read_text(encoding="utf-8")
