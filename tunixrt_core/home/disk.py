"""Disk use of the home by part, and emptying the compile cache."""

from __future__ import annotations

import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tunixrt_core.errors import OutputError, Stopped
from tunixrt_core.settings import Settings
from tunixrt_core.store.sql.reading import path_in

PARTS = ("database", "runs", "models", "datasets", "compile cache", "logs", "other")
_TOLD_EVERY = 1_000  # files


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes of each of PARTS at a moment; none of the database where that is no file."""

    bytes: dict[str, int]
    files: int
    measured_at: float  # Unix seconds
    seconds: float

    @property
    def total(self) -> int:
        return sum(self.bytes.values())


def measure(
    settings: Settings,
    on_progress: Callable[[str, int, int], None] = lambda phase, done, total: None,
    stop: threading.Event | None = None,
) -> DiskUse:
    """Measure every file of the home. A file deleted meanwhile counts as empty. Raises Stopped."""
    began, files = time.time(), 0
    sizes = dict.fromkeys(PARTS, 0)
    folders = {
        settings.runs_dir: "runs",
        settings.models_dir: "models",
        settings.exports_dir: "datasets",
        settings.compiled_dir: "compile cache",
        settings.server_log.parent: "logs",
    }
    database = _database_file(settings)
    for path, size in _files(settings.home):
        sizes[_part(path, settings.home, folders, database)] += size
        files += 1
        if files % _TOLD_EVERY == 0:
            on_progress("files", files, 0)
            if stop is not None and stop.is_set():
                raise Stopped("Measuring was stopped.")
    if database is not None and settings.home not in database.parents:
        sizes["database"] = sum(_size(database.with_name(database.name + side)) for side in ("", "-wal", "-shm"))
    return DiskUse(sizes, files, time.time(), time.time() - began)


def empty_compile_cache(settings: Settings) -> int:
    """Remove what XLA compiled and return its bytes; every program is compiled again when it is next needed.

    Raises OutputError where it cannot be removed.
    """
    folder = settings.compiled_dir
    if not folder.is_dir():
        return 0
    freed = sum(size for _, size in _files(folder))
    # moved away first, so that a run that begins meanwhile sees an empty cache, not half of one
    aside = folder.with_name(f".compiled-{uuid.uuid4().hex}")
    try:
        folder.rename(aside)
        folder.mkdir()
        shutil.rmtree(aside)
    except OSError as error:
        raise OutputError(
            f"The compile cache {folder} cannot be emptied ({error.strerror or error}). Fix its permissions."
        ) from None
    return freed


def _part(path: str, home: Path, folders: dict[Path, str], database: Path | None) -> str:
    if database is not None and path in (f"{database}", f"{database}-wal", f"{database}-shm"):
        return "database"
    top = path.removeprefix(f"{home}{os.sep}").partition(os.sep)[0]
    return folders.get(home / top, "other")


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Every file below a folder with its bytes; links are not followed."""
    todo = [str(folder)]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    else:
                        yield entry.path, _size(entry)
        except OSError:
            continue  # deleted meanwhile, or owned by another user


def _size(file: os.DirEntry[str] | Path) -> int:
    try:
        return file.lstat().st_size if isinstance(file, Path) else file.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def _database_file(settings: Settings) -> Path | None:
    return path_in(settings.database_url)
