"""The end of a file is its last whole lines."""

from __future__ import annotations

from pathlib import Path

from tunixrt_core.util.files.tails import tail


def test_the_last_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("one\ntwo\nthree\n", encoding="utf-8")
    assert tail(file, 2) == "two\nthree"
    assert tail(file, 9) == "one\ntwo\nthree"


def test_a_file_that_is_not_there_has_no_end(tmp_path: Path) -> None:
    assert tail(tmp_path / "log", 2) == ""


def test_a_line_that_begins_before_what_is_read_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("Authorization: Bearer " + "s" * 300_000 + "\nlast\n", encoding="utf-8")
    assert tail(file, 200) == "last"
