"""The doctor names what is missing, and does not mind what is not needed."""

from __future__ import annotations

from pathlib import Path

from tunixrt_core.doctor import checks
from tunixrt_core.settings import Settings


def states(settings: Settings) -> dict[str, str]:
    return {check.name: check.state for check in checks(settings)}


def test_a_fresh_machine_passes(tmp_path: Path) -> None:
    found = states(Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "new")}))
    assert "bad" not in found.values()


def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "tunixrt.db").write_bytes(b"this is not a database" * 100)
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path)})
    assert states(settings)["Database"] == "bad"


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "file" / "home")})
    assert states(settings)["Home"] == "bad"
