"""Settings come from the environment that is passed in, and a wrong value is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.errors import InvalidSettings
from tunixrt_core.settings import Settings


def test_the_defaults_need_no_environment() -> None:
    settings = Settings.from_env({})
    assert settings.home == Path("~/.tunixrt").expanduser()
    assert settings.database_url == f"sqlite:///{settings.home}/tunixrt.db"
    assert (settings.host, settings.port) == ("127.0.0.1", 8501)


def test_everything_lives_under_the_home(tmp_path: Path) -> None:
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path)})
    assert {settings.exports_dir, settings.runs_dir, settings.models_dir} == {
        tmp_path / "datasets",
        tmp_path / "runs",
        tmp_path / "models",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TUNIXRT_PORT", "http"),
        ("TUNIXRT_PORT", "0"),
        ("TUNIXRT_PORT", "70000"),
        ("TUNIXRT_MAX_UPLOAD_MB", "-1"),
        ("TUNIXRT_LOG_LEVEL", "LOUD"),
        ("TUNIXRT_DATABASE_URL", "mysql://somewhere"),
        ("TUNIXRT_HOM", "/tmp"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_it(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings, match=name):
        Settings.from_env({name: value})


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(InvalidSettings, match="TUNIXRT_HOME"):
        Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")})


def test_a_postgresql_url_gets_the_driver_that_the_extra_installs() -> None:
    settings = Settings.from_env({"TUNIXRT_DATABASE_URL": "postgresql://u@h/db"})
    assert settings.database_url == "postgresql+psycopg://u@h/db"
