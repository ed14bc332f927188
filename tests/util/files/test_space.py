"""A full disk is named with what is free and what can be deleted; other errors are not taken for one."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from tunixrt_core.util.files.space import full_disk


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        sqlite3.OperationalError("database or disk is full"),
        RuntimeError("INTERNAL: [Errno 28] No space left on device: '/x/6'"),
    ],
)
def test_a_full_disk_is_named_with_its_free_bytes(tmp_path: Path, error: Exception) -> None:
    said = full_disk(tmp_path / "not" / "made" / "yet", error)
    assert said.startswith(f"The disk of {tmp_path} is full: ")
    assert "MB are free" in said
    assert "checkpoints" in said


@pytest.mark.parametrize("said", ["RESOURCE_EXHAUSTED: Out of memory", "disk I/O error", "no such table: runs"])
def test_another_error_on_a_disk_with_room_is_none(tmp_path: Path, said: str) -> None:
    assert full_disk(tmp_path, said) == ""
