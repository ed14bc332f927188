"""A home of any name holds its own database, which only its owner can read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunixrt_core.pipeline.pipeline import open_home
from tunixrt_core.pipeline.recovery import restore
from tunixrt_core.settings import Settings


@pytest.mark.parametrize(
    "name", ["what?", "a%41", "100%", "a#b", "q=1&r=2", "é 中", "'\"$(x);", "a:b@c", "line\nend", "?uri=true"]
)
def test_an_odd_name_of_a_home_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    before = os.umask(0o022)
    try:
        homes = [tmp_path / name, tmp_path / "plain"]
        for number, home in enumerate(homes, 1):
            with open_home(home) as rt:
                assert rt.traces.count() == 0
                rt.traces.ingest_examples(number)
                rt.home.backup(home / "copy.db")
        for number, home in enumerate(homes, 1):
            assert home.stat().st_mode & 0o777 == 0o700
            for file in (home / "tunixrt.db", home / "copy.db"):
                assert file.stat().st_mode & 0o777 == 0o600
            settings = Settings.from_env({"TUNIXRT_HOME": str(home)})
            assert restore(settings, home / "copy.db", force=True).traces == number
            assert (home / "tunixrt.db").stat().st_mode & 0o777 == 0o600
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "plain"])
    finally:
        os.umask(before)
