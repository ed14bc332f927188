"""Last lines of a growing text file."""

from __future__ import annotations

import os
from pathlib import Path

from tunixrt_core.errors import BrokenFile
from tunixrt_core.util.files.regular import open_regular

_MOST_BYTES = 256 << 10


def tail(path: Path, lines: int) -> str:
    """The last lines of a file, empty where there is none that can be read; reads at most 256 KiB.

    A line that begins before that is left out: half of a line may hide what identifies a secret.
    """
    try:
        with open_regular(path) as handle:
            start = max(0, os.fstat(handle.fileno()).st_size - _MOST_BYTES)
            handle.seek(start)
            found = handle.read().split(b"\n")
    except (OSError, BrokenFile):
        return ""
    if start:
        found = found[1:]
    if found and not found[-1]:
        found.pop()
    return b"\n".join(found[-lines:]).decode(errors="replace")
