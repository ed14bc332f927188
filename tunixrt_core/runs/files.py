"""Files of a run's folder: what is broken, and lines from an offset."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from tunixrt_core.errors import BrokenFile
from tunixrt_core.util.files.regular import kind_words, open_regular, read_text


def check_folder(path: Path) -> None:
    """Raises BrokenFile where a run's folder is gone, or is a file, a link or a pipe."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        raise BrokenFile(path, "the folder is gone") from None
    except OSError as error:
        raise BrokenFile(path, f"cannot be read ({error.strerror or error})") from None
    if not stat.S_ISDIR(mode):
        raise BrokenFile(path, f"{kind_words(mode) or 'is a file'}, not the folder of a run")


def check_manifest(path: Path) -> None:
    """Raises BrokenFile where a manifest is missing, or is not the YAML of a mapping. Checks no key of it."""
    from tunixrt_core.util.files.yaml import NotYaml, load_yaml

    try:
        loaded = load_yaml(read_text(path))
    except FileNotFoundError:
        raise BrokenFile(path, "the file is missing") from None
    except NotYaml as error:
        raise BrokenFile(path, f"is not YAML ({error})") from None
    if not isinstance(loaded, dict):
        raise BrokenFile(path, "is not a mapping of keys to values" if loaded is not None else "is empty")


def read_lines(file: Path, since: int) -> tuple[bytes, int]:
    """The whole lines after byte `since`, and where they end; none of what is no regular file."""
    try:
        with open_regular(file) as handle:
            since = since if _ends_a_line(handle, since) else 0
            handle.seek(since)
            found = handle.read()
    except (OSError, BrokenFile):
        return b"", 0
    lines = found[: found.rfind(b"\n") + 1]
    return lines, since + len(lines)


def _ends_a_line(handle: BinaryIO, offset: int) -> bool:
    """Whether an earlier offset is still valid: a resume may have cut the file, and written to it since."""
    if not 0 < offset <= os.fstat(handle.fileno()).st_size:
        return False
    handle.seek(offset - 1)
    return handle.read(1) == b"\n"


def is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
