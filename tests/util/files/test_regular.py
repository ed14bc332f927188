"""Files are read whole, bounded, and only where they are files: nothing else is opened, and nothing waits."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tunixrt_core.errors import BrokenFile
from tunixrt_core.util.files.regular import KeptFiles, read_object, read_object_or_none, read_regular, read_text

LONG_AGO = 1_700_000_000


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(path.parent)  # the address of a socket is short
        bound.bind(path.name)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.mkdir, "is a folder"),
        (os.mkfifo, "is a pipe"),
        (_socket, "is a socket"),
        (lambda path: path.symlink_to("/etc/hostname"), "is a link"),
        (lambda path: path.symlink_to(path.name), "is a link"),
    ],
)
def test_what_is_no_regular_file_is_named_at_once(
    tmp_path: Path, make: Callable[[Path], object], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "state.json")
    began = time.monotonic()
    with pytest.raises(BrokenFile, match=reason) as raised:
        read_regular(tmp_path / "state.json")
    assert time.monotonic() - began < 1
    assert raised.value.details["file"] == str(tmp_path / "state.json")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/tty", "/proc/kmsg", "/proc/self/mem", "a\0b", "x" * 5000])
def test_devices_files_without_end_and_impossible_names_are_refused(path: str) -> None:
    with pytest.raises((BrokenFile, FileNotFoundError)):
        read_regular(Path(path), most=1000, follow=True)


def test_a_link_is_followed_where_a_user_named_it_and_a_pipe_behind_it_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("text")
    (tmp_path / "link").symlink_to("real")
    assert read_text(tmp_path / "link", follow=True) == "text"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to-pipe").symlink_to("pipe")
    with pytest.raises(BrokenFile, match="is a pipe"):
        read_text(tmp_path / "to-pipe", follow=True)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 11)
    with pytest.raises(BrokenFile, match="larger than 10 bytes"):
        read_regular(tmp_path / "big", most=10)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\0\0\0", "holds no text"),
        (b"[", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"null", "is not a JSON object"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_the_reason_why_an_object_cannot_be_read_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "seen.json"
    assert read_object(file) is None
    file.write_bytes(content)
    with pytest.raises(BrokenFile, match=reason):
        read_object(file)
    assert read_object_or_none(file) is None


def test_text_that_is_not_utf_8_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_bytes(b"name: \xff")
    with pytest.raises(BrokenFile, match=r"not UTF-8 \(byte 6\)"):
        read_text(tmp_path / "m.yaml")


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
