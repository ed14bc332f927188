"""Files and folders written whole: readers see the old or the new one.

Temporary names contain the number of their process, so that what a killed one left is known: see `is_leftover`, and
that of their thread, so that two threads can write one file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tunixrt_core.errors import OutputError
from tunixrt_core.util.files.space import unwritable

_TEMPORARY = re.compile(r"\..+\.(\d{1,9})(?:-\d+)?(?:\.\w+)?\.tmp", re.ASCII)


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside the target, fsync and rename: a reader sees the old file or the new one, never half of it.

    Raises OutputError for a disk that is full or read-only, and OSError.
    """
    with _written_beside(path, data) as temporary:
        temporary.replace(path)


def write_first(path: Path, data: bytes) -> None:
    """As `write_atomic`, but an existing file is kept: of several processes that write one, the first one does."""
    with suppress(FileExistsError), _written_beside(path, data) as temporary:
        path.hardlink_to(temporary)


@contextmanager
def _written_beside(path: Path, data: bytes) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with temporary.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        yield temporary
    except OSError as error:
        if why := unwritable(path, error):
            raise OutputError(f"{path} cannot be written. {why}") from None
        raise
    finally:
        _remove(temporary)  # half a file would take the room of a full disk


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object. Raises as `write_atomic` does."""
    write_atomic(path, _json(value))


def write_state(path: Path, value: Mapping[str, Any]) -> None:
    """As `write_json`, also on a full disk: over the existing file, within its room.

    How something ended must be told by a disk on which nothing can be created.
    """
    try:
        write_json(path, value)
    except OutputError:
        if not _written_over(path, _json(value)):
            raise


def _written_over(path: Path, data: bytes) -> bool:
    try:
        with path.open("r+b", buffering=0) as file:
            found = os.fstat(file.fileno())
            if found.st_blocks * 512 < len(data):
                return False
            # one write, with spaces over the rest of what was there: no reader sees a part of it
            return file.write(data.ljust(found.st_size)) >= len(data)
    except OSError:
        return False


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


@contextmanager
def scratch_beside(target: Path) -> Iterator[Path]:
    """A temporary directory on the target's disk, removed at the end, and with it those of processes that died.

    Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for old in target.parent.glob(f".{target.name}.*.tmp"):
        if is_leftover(old):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.{os.getpid()}.", suffix=".tmp", dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_leftover(path: Path) -> bool:
    """Whether a path has the temporary name of a process that does not run on this machine."""
    found = _TEMPORARY.fullmatch(path.name)
    return found is not None and not Path(f"/proc/{found[1]}").exists()
