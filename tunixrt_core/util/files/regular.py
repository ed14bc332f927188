"""Bounded reads of regular files, never of a pipe, a device or a folder."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

import orjson

from tunixrt_core.errors import BrokenFile, UnreadableFile
from tunixrt_core.util.files.disks import require_answer

T = TypeVar("T")

MOST_BYTES = 64 << 20  # of a file that is read whole
_KINDS = (
    (stat.S_ISLNK, "is a link"),
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)
_SETTLED_SECONDS = 2.0  # file systems tell times of two seconds apart; a younger file may change within one time
_Signature = tuple[int, int, int, int, int]


def kind_words(mode: int) -> str:
    """What a path is instead of a regular file, such as `is a pipe`; empty if it is one."""
    return next((words for test, words in _KINDS if test(mode)), "")


def open_regular(path: Path, *, follow: bool = False) -> BinaryIO:
    """Open a regular file for reading; never waits for the writer of a pipe, never opens a device.

    A link is followed only with `follow`, for a file that a user names. Raises FileNotFoundError, BrokenFile, and
    UnreadableFile for one in a network folder that is stuck.
    """
    if follow:
        require_answer(path)
    try:
        # looked at first: to open some devices is to change them
        found = kind_words((path.stat() if follow else path.lstat()).st_mode)
        if found:
            raise BrokenFile(path, found)
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        raise BrokenFile(path, f"cannot be read ({_reason(error)})") from None
    if found := kind_words(os.fstat(handle).st_mode):  # replaced meanwhile
        os.close(handle)
        raise BrokenFile(path, found)
    return os.fdopen(handle, "rb")


def require_regular(path: Path) -> None:
    """Raises UnreadableFile for a file of a user that is missing, no regular file, or cannot be read."""
    try:
        open_regular(path, follow=True).close()
    except FileNotFoundError:
        raise UnreadableFile(f"{path} does not exist. Check the path.") from None
    except BrokenFile as error:
        raise UnreadableFile(f"{path} {error.reason}. Name a regular file.") from None


def read_regular(path: Path, *, most: int = MOST_BYTES, follow: bool = False) -> bytes:
    """The bytes of a regular file. Raises FileNotFoundError; BrokenFile for anything else and for more than `most`."""
    with open_regular(path, follow=follow) as file:
        try:
            found: bytes | None = file.read(most + 1)
        except OSError as error:
            raise BrokenFile(path, f"cannot be read ({_reason(error)})") from None
    if found is None:  # a file of /proc that waits for what comes
        raise BrokenFile(path, "cannot be read (it never ends)")
    if len(found) > most:
        raise BrokenFile(path, f"is larger than {most:,} bytes")
    return found


def read_object(path: Path, *, most: int = MOST_BYTES, follow: bool = False) -> dict[str, Any] | None:
    """The JSON object that a file holds; None if there is no file. Raises BrokenFile."""
    try:
        found = read_regular(path, most=most, follow=follow)
    except FileNotFoundError:
        return None
    if not found.strip(b" \t\r\n\0"):
        raise BrokenFile(path, "is empty" if not found else "holds no text")
    try:
        loaded = orjson.loads(found)
    except orjson.JSONDecodeError as error:
        raise BrokenFile(path, f"is not JSON ({error})") from None
    if not isinstance(loaded, dict):
        raise BrokenFile(path, "is not a JSON object")
    return loaded


def read_object_or_none(path: Path) -> dict[str, Any] | None:
    """The JSON object that a file holds; None if it is missing or cannot be read."""
    try:
        return read_object(path)
    except BrokenFile:
        return None


def read_text(path: Path, *, most: int = MOST_BYTES, follow: bool = False) -> str:
    """The UTF-8 text of a regular file. Raises FileNotFoundError, BrokenFile."""
    try:
        return read_regular(path, most=most, follow=follow).decode()
    except UnicodeDecodeError as error:
        raise BrokenFile(path, f"is not UTF-8 (byte {error.start:,})") from None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class KeptFiles(Generic[T]):
    """The newest values that were read from files, for all threads.

    A value is given again only while the file has the inode, size and times with which it was read, and only if it had
    not changed for two seconds then: a write within the resolution of the file system's times is never missed.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[_Signature, T]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, path: Path, read: Callable[[], T]) -> T:
        """The value of a file, by `read` where it has to be read. Raises what `read` raises."""
        name = os.fspath(path)
        signature = _signature(name)  # before the reading: of a file that changes meanwhile it is an old one
        if signature is None:
            return read()
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and kept[0] == signature:
                self._kept.move_to_end(name)
                return kept[1]
        value = read()
        if time.time() - max(signature[-2:]) / 1e9 > _SETTLED_SECONDS:
            with self._lock:
                self._kept[name] = signature, value
                self._kept.move_to_end(name)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return value


def _signature(name: str) -> _Signature | None:
    """None for what cannot be looked at: its reader says why."""
    try:
        found = os.lstat(name)
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns
