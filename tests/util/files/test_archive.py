"""An archive is whole although it is never held whole."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

from tunixrt_core.util.files.archive import stored_files


def test_files_come_back_and_no_piece_is_much_larger_than_a_block(tmp_path: Path) -> None:
    large, empty = tmp_path / "large.bin", tmp_path / "empty.json"
    large.write_bytes(os.urandom(5_000_000))
    empty.touch()
    os.utime(empty, (0, 0))  # before 1980, where the calendar of zip begins
    pieces = list(stored_files([("model/large.bin", large), ("model/deeper/empty.json", empty)]))
    assert max(map(len, pieces)) < 1_200_000
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert archive.read("model/large.bin") == large.read_bytes()
        assert archive.read("model/deeper/empty.json") == b""
