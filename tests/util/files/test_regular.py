"""Files are read whole, bounded, and only where they are files: nothing else is opened, and nothing waits."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tunixrt_core.errors import BrokenFile
from tunixrt_core.util.files.regular import read_object, read_object_or_none, read_regular, read_text


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
