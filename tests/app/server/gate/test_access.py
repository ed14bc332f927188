"""The access token is made once, kept for its owner only, and stays the same."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from app.server.gate.access import access_token
from tunixrt_core.errors import OutputError
from tunixrt_core.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")})


def test_a_token_is_made_at_the_first_start_and_kept(settings: Settings) -> None:
    token = access_token(settings)
    assert len(token) >= 32
    assert access_token(settings) == token


def test_only_its_owner_can_read_it(settings: Settings) -> None:
    access_token(settings)
    assert stat.S_IMODE((settings.home / "token").stat().st_mode) == 0o600


def test_two_homes_have_two_tokens(settings: Settings) -> None:
    assert access_token(settings) != access_token(replace(settings, home=settings.home / "other"))


def test_the_setting_wins_and_is_not_written_down(settings: Settings) -> None:
    assert access_token(replace(settings, token="a-token-of-the-user")) == "a-token-of-the-user"
    assert not (settings.home / "token").exists()


def test_an_empty_file_gets_a_new_token(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "token").write_text("\n")
    assert access_token(settings)


def test_a_home_that_cannot_be_written_is_a_sentence(settings: Settings) -> None:
    settings.home.write_text("a file")
    with pytest.raises(OutputError, match="TUNIXRT_TOKEN"):
        access_token(settings)


@pytest.mark.parametrize("content", ["x", "", "short\n", "a" * 15, "with a space in it", "ümlaut" * 4])
def test_a_token_that_can_be_guessed_is_replaced_with_a_warning(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path)})
    settings.token_file.write_text(content)
    settings.token_file.chmod(0o644)
    token = access_token(settings)
    assert len(token) >= 32
    assert settings.token_file.read_text().strip() == token == access_token(settings)
    assert settings.token_file.stat().st_mode & 0o777 == 0o600
    assert "can be guessed" in caplog.text


def test_a_token_file_that_others_can_read_is_made_private_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path)})
    settings.token_file.write_text("a" * 32)
    settings.token_file.chmod(0o644)
    assert access_token(settings) == "a" * 32
    assert settings.token_file.stat().st_mode & 0o777 == 0o600
    assert "could be read by other users" in caplog.text


def test_a_token_that_is_a_pipe_or_a_folder_is_put_aside(tmp_path: Path) -> None:
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path)})
    settings.token_file.mkdir()
    token = access_token(settings)
    assert settings.token_file.read_text().strip() == token
