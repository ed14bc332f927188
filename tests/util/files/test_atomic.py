"""A file is written whole, and nothing is left beside it."""

from __future__ import annotations

from pathlib import Path

from tunixrt_core.util.files.atomic import write_atomic


def test_writing_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"1")
    write_atomic(tmp_path / "a", b"2")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"2")]
