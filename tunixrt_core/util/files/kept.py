"""What was read from files, kept as long as the file is the same."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

_SETTLED_SECONDS = 2.0  # file systems tell times of two seconds apart; a younger file may change within one time
_Signature = tuple[int, int, int, int, int]


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
