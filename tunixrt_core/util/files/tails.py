"""Last lines of a growing text file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tunixrt_core.errors import BrokenFile
from tunixrt_core.util.files.regular import open_regular

_MOST_BYTES = 256 << 10
_BLOCK = 64 << 10


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


def lines_backwards(path: Path) -> Iterator[bytes]:
    """The lines of a file from the last to the first, read block by block as they are used; a cut last one is left out.

    None of a file that is missing or cannot be read.
    """
    try:
        handle = open_regular(path)
    except (OSError, BrokenFile):
        return
    with handle:
        end, rest, ended = os.fstat(handle.fileno()).st_size, b"", False
        while end > 0:
            start = max(0, end - _BLOCK)
            handle.seek(start)
            text = handle.read(end - start) + rest
            end, rest = start, b""
            if not ended:  # what follows the last line end is cut
                text, line_end, _ = text.rpartition(b"\n")
                ended = bool(line_end)
            if ended:
                rest, *lines = text.split(b"\n")
                yield from reversed(lines)
        if ended:
            yield rest
