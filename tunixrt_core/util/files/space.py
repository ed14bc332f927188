"""Sentences about a full disk: what is full, how much is free, what can be deleted."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

_LITTLE = 64 << 20  # bytes; a checkpoint or a log of SQLite needs more
_MARKS = ("No space left", "disk is full", "disk I/O error", "RESOURCE_EXHAUSTED", "Disk quota")


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
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
