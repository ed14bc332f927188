"""The end of a file is its last whole lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.util.files.tails import lines_backwards, tail


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


@pytest.mark.parametrize("length", [1, 700, 65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("cut", ["", "a line that is being written"])
def test_lines_come_from_the_last_to_the_first_across_blocks(tmp_path: Path, length: int, cut: str) -> None:
    lines = [f"{number} ".encode() + b"x" * length for number in range(3)] + [b"", b"last"]
    file = tmp_path / "log"
    file.write_bytes(b"\n".join(lines) + b"\n" + cut.encode())
    assert list(lines_backwards(file)) == lines[::-1]


@pytest.mark.parametrize("content", [b"", b"cut", b"x" * 70_000])
def test_a_file_without_a_whole_line_has_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log").write_bytes(content)
    assert list(lines_backwards(tmp_path / "log")) == []
    assert list(lines_backwards(tmp_path / "none")) == []
