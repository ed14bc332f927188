"""The zip of `tunixrt doctor bundle`, and files that need a word about how they are read."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

from tests.helpers.command import tunixrt


def test_the_bundle_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    done = tunixrt("doctor", "bundle", "-o", file, home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "Review it before you share it." in done.stdout
    with zipfile.ZipFile(file) as bundle:
        assert "tunixrt-diagnostics/versions.json" in bundle.namelist()
        modes = {stat.S_IMODE(entry.external_attr >> 16) for entry in bundle.infolist()}
    assert modes == {0o600}


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    done = tunixrt("doctor", "bundle", "-o", tmp_path / "nowhere" / "b.zip", home=tmp_path / "home")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_several_files_are_one_import_and_a_word_says_how_a_file_is_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "a.jsonl").write_text('{"Question": "q1", "Answer": "1"}\n')
    (tmp_path / "b.json").write_bytes('{"train": [{"question": "é", "answer": "1"}], "test": []}'.encode("cp1252"))
    done = tunixrt("ingest", tmp_path / "a.jsonl", tmp_path / "b.json", "--encoding", "cp1252", home=home)
    assert (done.returncode, done.stdout.partition("(")[0]) == (
        0,
        "Read 2 = 2 inserted + 0 duplicate + 0 rejected  ",
    ), done.stderr
    assert "2 files were read." in done.stdout
    assert "Rows are read from `train`." in done.stdout
    checked = tunixrt("doctor", "data", tmp_path / "b.json", "--field", "none", home=home)
    assert checked.returncode == 1
    assert "there is no 'none' in it. Keys seen: test, train." in " ".join(checked.stderr.split())
