"""Folders in which paths of others may be, and text that can be a path."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tunixrt_core.util.files.disks import answers
from tunixrt_core.util.hashing import check_text

LONGEST_PATH = 4096  # characters; Linux takes as many bytes
_LONGEST_NAME = 255  # bytes of one part


def check_path_text(text: str) -> str:
    """The text, if it can be the path of a file. Raises ValueError, whose words follow the name of a field."""
    try:
        check_text(text, "")
    except ValueError as error:
        raise ValueError(str(error).removeprefix(": ")) from None
    if len(os.fsencode(text)) > LONGEST_PATH:
        raise ValueError(f"is longer than {LONGEST_PATH:,} bytes, which no path can be")
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in text.split("/")):
        raise ValueError(f"has a part that is longer than {_LONGEST_NAME} bytes, which no name can be")
    return text


def rebased(value: Any, old: Path, new: Path) -> Any:
    """JSON in which paths within `old` have become paths within `new`."""
    if isinstance(value, dict):
        return {key: rebased(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [rebased(each, old, new) for each in value]
    if isinstance(value, str) and Path(value).is_relative_to(old):
        return str(new / Path(value).relative_to(old))
    return value


class Places:
    """Folders, links resolved."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)

    def hold(self, path: Path) -> bool:
        """Whether a path leads into one of the folders, wherever its links and `..` lead."""
        try:
            if not answers(path):
                return False
            found = _resolved(path)
            folders = [_resolved(each) for each in self._folders if answers(each)]
            return any(found != each and found.is_relative_to(each) for each in folders)
        except (OSError, ValueError):
            return False


def _resolved(path: Path) -> Path:
    """The path without links. Raises OSError where they lead in a circle, of which `Path.resolve` says nothing from
    Python 3.13 on.
    """
    found = Path(os.path.realpath(path))
    if any(map(os.path.islink, (found, *found.parents))):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return found
