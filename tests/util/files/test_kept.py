"""What was read from a file is given again only while the file is the same."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tunixrt_core.util.files.kept import KeptFiles

LONG_AGO = 1_700_000_000


class Reading:
    """Reads a file, and counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        return self.path.read_text()


@pytest.fixture
def settled(tmp_path: Path) -> Path:
    """A file that was written long ago, as far as its times tell: those of the inode are the system's alone."""
    path = tmp_path / "state.json"
    path.write_text("old")
    return path


def kept_after_settling(kept: KeptFiles[str], reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda clock=time.time: clock() + 3)
    assert kept.of(reading.path, reading) == reading.path.read_text()


def test_a_file_that_stays_the_same_is_read_once(settled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, reading = KeptFiles[str](9), Reading(settled)
    kept_after_settling(kept, reading, monkeypatch)
    assert [kept.of(settled, reading) for _ in range(3)] == ["old"] * 3
    assert reading.times == 1


def test_a_file_that_changed_a_moment_ago_is_read_each_time(settled: Path) -> None:
    kept, reading = KeptFiles[str](9), Reading(settled)
    for text in ("one", "two", "six"):  # as long, and within one time of the file system, perhaps
        settled.write_text(text)
        assert kept.of(settled, reading) == text


@pytest.mark.parametrize("as_old", [False, True])
def test_a_replaced_file_is_seen_at_once(settled: Path, monkeypatch: pytest.MonkeyPatch, as_old: bool) -> None:
    os.utime(settled, (LONG_AGO, LONG_AGO))
    kept, reading = KeptFiles[str](9), Reading(settled)
    kept_after_settling(kept, reading, monkeypatch)
    new = settled.with_name("new")
    new.write_text("new")
    if as_old:
        os.utime(new, (LONG_AGO, LONG_AGO))
    new.replace(settled)
    assert kept.of(settled, reading) == "new"


def test_a_file_that_is_overwritten_in_its_place_is_seen_at_once(
    settled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, reading = KeptFiles[str](9), Reading(settled)
    kept_after_settling(kept, reading, monkeypatch)
    time.sleep(0.02)  # more than the resolution of the times here; below it the file is too young to be kept
    with settled.open("r+") as file:
        file.write("NEW")
    assert kept.of(settled, reading) == "NEW"


def test_a_file_that_is_gone_is_told_by_its_reader(settled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, reading = KeptFiles[str](9), Reading(settled)
    kept_after_settling(kept, reading, monkeypatch)
    settled.unlink()
    with pytest.raises(FileNotFoundError):
        kept.of(settled, reading)


def test_the_newest_alone_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptFiles[str](2)
    readings = [Reading(tmp_path / name) for name in "abc"]
    for reading in readings:
        reading.path.write_text("text")
    monkeypatch.setattr(time, "time", lambda clock=time.time: clock() + 3)
    for reading in (*readings, readings[2], readings[0]):
        kept.of(reading.path, reading)
    assert [reading.times for reading in readings] == [2, 1, 1]
