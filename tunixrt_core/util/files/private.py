"""Folders and files that only their owner can read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def make_private(folder: Path) -> None:
    """Make a folder, and its parents, if it is missing; a new one is its owner's alone. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        return
    folder.mkdir(exist_ok=True)  # raises where something else is in its place


def make_private_file(path: Path) -> None:
    """Make an empty file that is its owner's alone, unless something is there or the folder cannot be written."""
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
