"""Sentences about a disk that is full or read-only, with what can be deleted."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from tunixrt_core.errors import OutputError

_LITTLE = 64 << 20  # bytes; a checkpoint or a log of SQLite needs more
_MARKS = ("No space left", "disk is full", "disk I/O error", "RESOURCE_EXHAUSTED", "Disk quota")
# SQLite says the last one where it cannot make the file of its log
_READ_ONLY = ("Read-only file system", "readonly database", "unable to open database file")


def unwritable(path: Path | None, error: object) -> str:
    """A sentence if an error comes from the disk of a path being full or read-only; otherwise empty.

    Without a path it is the file that the error names, or else the folder of temporary files.
    """
    if path is None:
        path = Path(getattr(error, "filename", None) or tempfile.gettempdir())
    return full_disk(path, error) or _read_only(path, error)


def cannot_write(path: Path, error: OSError, advice: str) -> OutputError:
    """The error of a file that cannot be written; the advice is for another reason than a full or read-only disk."""
    why = unwritable(path, error)
    return OutputError(
        f"{path} cannot be written. {why}" if why else f"{path} cannot be written ({error.strerror or error}). {advice}"
    )


def _read_only(path: Path, error: object) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number != errno.EROFS and not any(mark in str(error) for mark in _READ_ONLY):
        return ""
    place = _existing(path)
    if not os.statvfs(place).f_flag & os.ST_RDONLY:
        return ""  # the permissions of a file
    return (
        f"The disk of {place} is read-only. Mount it for writing, or name another folder; a disk that became "
        "read-only by itself has errors, which the system's log shows."
    )


def full_disk(path: Path, error: object) -> str:
    """A sentence if an error comes from the disk of a path being full; otherwise empty.

    Some libraries say only that a resource is exhausted: that counts if the disk has less than 64 MiB left.
    """
    said = str(error)
    number = error.errno if isinstance(error, OSError) else None
    certain = number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in said or "disk is full" in said
    if not certain and not any(mark in said for mark in _MARKS):
        return ""
    place = _existing(path)
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        return ""
    if not certain and free > _LITTLE:
        return ""
    return (
        f"The disk of {place} is full: {free / 1e6:,.1f} MB are free. Make room and try again: the compile cache "
        "(System page), checkpoints and exports of old runs (runs/*/checkpoints, runs/*/export), models/ and aside/ in "
        "the home."
    )


def _existing(path: Path) -> Path:
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
