"""Backup, check and restore of a store."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from tunixrt_core.errors import Busy, Conflict, OutputError, Stopped, StoreError
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.reading import path_in
from tunixrt_core.store.sql.schema import KNOWN
from tunixrt_core.store.sql.tables import trace_tallies, traces
from tunixrt_core.util.files.private import make_private_file
from tunixrt_core.util.files.space import unwritable

_SIDES = ("-wal", "-shm")
_MOST_PROBLEMS = 20

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Copy:
    """A sound copy of a store. `kept` is where the database that a restore replaced was put."""

    path: Path
    bytes: int
    traces: int
    kept: Path | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """What a check found. `problems` are sentences; none means that the store is sound."""

    traces: int
    tombstones: int
    problems: tuple[str, ...]


def backup(database: Database, path: Path) -> Copy:
    """Write a copy to a new file while others go on writing, and check it before it gets its name.

    Raises OutputError where the file exists or cannot be written, StoreError on PostgreSQL.
    """
    if path.exists():
        raise OutputError(f"{path} already exists. A backup never replaces a file; name another one.")
    with _beside(path) as part:
        with database.read() as connection:
            database.dialect.backup(connection, part)
        number = _prove(part)
        os.replace(part, path)
    return Copy(path, path.stat().st_size, number)


def restore(url: str, path: Path, *, force: bool = False) -> Copy:
    """Put a backup in the place of the store of a URL. The store that was there is kept beside it, under a new name.

    Raises StoreError where the backup is damaged or no store or the URL is PostgreSQL's, Conflict where a store is
    there and `force` is not set, or where another process uses it.
    """
    target = _file_of(url)
    if not path.is_file():
        raise StoreError(f"{path} is missing. Name a file that `tunixrt db backup` wrote.")
    if target.exists() and not force:
        raise Conflict(f"{target} already exists. Give --force to replace it; it is kept under another name.")
    with _beside(target) as part:
        shutil.copyfile(path, part)
        number = _prove(part)
        kept = _put_aside(target) if target.exists() else None
        os.replace(part, target)
    return Copy(target, target.stat().st_size, number, kept)


def check(
    database: Database,
    on_progress: Progress = lambda phase, done, total: None,
    stop: threading.Event | None = None,
) -> Health:
    """Read everything: the database's own pages, every trace against its hash, and the tallies against the traces.

    `on_progress` is told the phase, pages or traces, and the traces read so far and in all. Raises Stopped once
    `stop` is set.
    """
    with database.read() as connection:
        on_progress("pages", 0, 0)
        problems = database.dialect.problems(connection)
        rows = connection.execute(select(func.max(traces.c.id))).scalar() or 0
        alive = gone = 0
        read = connection.execution_options(yield_per=1_000).execute(select(traces.c.hash, traces.c.body))
        for part in read.partitions():
            if stop is not None and stop.is_set():
                raise Stopped("The check was stopped; it says nothing.")
            gone += sum(row.body is None for row in part)
            alive += sum(row.body is not None for row in part)
            problems += islice(_wrong(part), max(0, _MOST_PROBLEMS - len(problems)))
            on_progress("traces", alive + gone, max(rows, alive + gone))
        tally = select(func.coalesce(func.sum(trace_tallies.c.traces), 0)).where(trace_tallies.c.kind == "all")
        if (counted := connection.execute(tally).scalar_one()) != alive:
            problems.append(f"{counted:,} traces are tallied, {alive:,} are there")
    return Health(alive, gone, tuple(problems))


def _wrong(rows: Iterable[Any]) -> Iterator[str]:
    for row in rows:
        if row.body is not None and hashlib.sha256(row.body.encode()).hexdigest() != row.hash:
            yield f"trace {row.hash[:12]} does not have the content that its hash names"


def _prove(path: Path) -> int:
    """The number of traces in a SQLite file that is sound and a store of this program. Raises StoreError."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise StoreError(f"{path.name} is damaged ({found}); it was not used.")
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            number: int = connection.execute("SELECT count(*) FROM traces WHERE body IS NOT NULL").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise StoreError(f"The backup is not a store of Tunix RT, or is damaged ({error}); it was not used.") from None
    if version is None or version[0] not in KNOWN:
        raise StoreError("The backup was written by a newer Tunix RT. Upgrade before you restore it.")
    return number


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A name in the same directory to write to, so that the last step is a rename. What is left of it is removed."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make_private_file(part)  # it holds every trace
        yield part
        _sync(path.parent)
    except (OSError, sqlite3.OperationalError) as error:
        why = unwritable(path, error) or f"The system says: {error}. Name another place."
        raise OutputError(f"{path} cannot be written. {why}") from None
    finally:
        for name in (part, *(part.with_name(part.name + side) for side in (*_SIDES, "-journal"))):
            name.unlink(missing_ok=True)


def _put_aside(target: Path) -> Path:
    """Rename a database, with what its log still holds written into it. Raises Busy where it is in use."""
    kept = target.with_name(f"{target.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    try:
        with closing(sqlite3.connect(target, timeout=1, isolation_level=None)) as connection:
            # only possible while nobody else has it open: the log is then written into the file and removed
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError:
        raise Busy(f"{target} is in use. Stop the dashboard and every other tunixrt first.") from None
    except sqlite3.DatabaseError:
        pass  # it is damaged, which is why it is replaced: kept as it is, with its log
    os.replace(target, kept)
    for side in _SIDES:
        if (log := target.with_name(target.name + side)).exists():
            os.replace(log, kept.with_name(kept.name + side))
    return kept


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _file_of(url: str) -> Path:
    if path := path_in(url):
        return path.expanduser().absolute()
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise StoreError("This store is in PostgreSQL. Bring a dump back with its own tool: pg_restore.")
    return Path(parsed.database).expanduser().absolute()
