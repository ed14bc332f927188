"""`tunixrt doctor bundle` writes the zip, and says where it cannot."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

from tests.helpers.command import tunixrt


def test_the_bundle_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    done = tunixrt("doctor", "bundle", "-o", file, home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "Read it before you send it to somebody." in done.stdout
    with zipfile.ZipFile(file) as bundle:
        assert "tunixrt-diagnostics/versions.json" in bundle.namelist()
        modes = {stat.S_IMODE(entry.external_attr >> 16) for entry in bundle.infolist()}
    assert modes == {0o600}


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    done = tunixrt("doctor", "bundle", "-o", tmp_path / "nowhere" / "b.zip", home=tmp_path / "home")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
