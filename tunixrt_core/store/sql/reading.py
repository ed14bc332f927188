"""Plain SQL reads of a SQLite file, without SQLAlchemy."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import orjson

from tunixrt_core.errors import StoreBusy, StoreError
from tunixrt_core.util.files.private import make_private, make_private_file
from tunixrt_core.util.files.space import unwritable

BUSY_SECONDS = 60  # how long a writer waits for another one; a large import holds the database for some seconds

_PLAIN = re.compile(r"sqlite:///([^?]+)", re.DOTALL)  # what has options is left to SQLAlchemy
_URI = re.compile(r"sqlite:///file:([^?]+)\?uri=true", re.DOTALL)  # a path with signs that mean something in a URL
_IDLE = 4  # connections that are kept open for the next reader

WHOLE = -1  # the `step` of a score of the whole trace: null would be unlike itself in a unique constraint

StoredRow = Mapping[str, Any]


class Reader(Protocol):
    """One moment of a database. Values are named in the SQL as `:name`; moments and JSON come as text.

    `numbers` selects the numbers of a JSON list that is given as the value `numbers`.
    """

    numbers: str

    def rows(self, sql: str, **values: object) -> list[StoredRow]: ...
    def has_table(self, name: str) -> bool: ...


class SQLiteReader:
    """A Reader over the driver's own connection."""

    numbers = "SELECT value FROM json_each(:numbers)"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, **values: object) -> list[StoredRow]:
        cursor = self._connection.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def has_table(self, name: str) -> bool:
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name", name=name))


class SQLiteFile:
    """Connections for reading one SQLite file, for several threads. Raises StoreError where it can have no folder."""

    def __init__(self, path: Path) -> None:
        self.path = make_folder(path)
        self._lock = threading.Lock()  # guards _idle
        self._idle: list[sqlite3.Connection] = []

    @classmethod
    def of(cls, url: str) -> SQLiteFile | None:
        """The file that a URL names; None for another database, and for a URL that SQLAlchemy must read."""
        path = path_in(url)
        return None if path is None else cls(path)

    @contextmanager
    def reading(self) -> Iterator[SQLiteReader]:
        """Raises StoreError."""
        try:
            with ExitStack() as on_failure:
                connection = self._take()
                on_failure.callback(connection.close)
                connection.execute("BEGIN")
                yield SQLiteReader(connection)
                connection.execute("ROLLBACK")
                on_failure.pop_all()
            self._give_back(connection)
        except sqlite3.DatabaseError as error:
            if not is_outer_fault(error):
                raise
            raise fault(str(self.path), error) from None

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()


def path_in(url: str) -> Path | None:
    """The SQLite file that a URL names; None for another database, and for a URL that SQLAlchemy must read."""
    if found := _URI.fullmatch(url):
        return Path(unquote(found[1]))
    found = _PLAIN.fullmatch(url)
    return None if found is None or found[1] == ":memory:" else Path(found[1])


def make_folder(database: Path) -> Path:
    """The whole path of a database file, whose folder is made. New ones are their owner's alone. Raises StoreError."""
    path = database.expanduser().absolute()
    try:
        make_private(path.parent)
        make_private_file(path)
    except OSError as error:
        raise StoreError(
            f"The directory {path.parent} for the database cannot be made ({error.strerror or error}). "
            "Set TUNIXRT_HOME to a directory that can be written."
        ) from None
    return path


def among(values: Iterable[object]) -> tuple[str, dict[str, object]]:
    """What follows IN for these values, and the values by the names that it gives them."""
    named = {f"among{i}": value for i, value in enumerate(values)}
    return f"({', '.join(f':{name}' for name in named) or 'NULL'})", named


def moment(text: str) -> datetime:
    """What `UtcTime` wrote."""
    return datetime.fromisoformat(text)


def moment_or_none(text: str | None) -> datetime | None:
    """What `UtcTime` wrote into a column that may be null."""
    return None if text is None else moment(text)


def json_object(text: str) -> dict[str, Any]:
    """What `JsonText` wrote."""
    loaded: dict[str, Any] = orjson.loads(text)
    return loaded


def json_list(text: str) -> list[Any]:
    """What `JsonList` wrote."""
    loaded: list[Any] = orjson.loads(text)
    return loaded


def is_outer_fault(error: Exception) -> bool:
    """Whether it is about the database as a whole; integrity and programming errors are bugs or caught elsewhere."""
    return type(error).__name__ in ("DatabaseError", "OperationalError")


_ADVICE = {
    "not a database": "is not a SQLite database. Move that file away, or name another database.",
    "unable to open": "cannot be opened. Check that its directory exists and can be written.",
    "readonly": "cannot be written. Fix the permissions of the file and of its directory.",
    "disk I/O": "cannot be read or written: the disk reports an error. Check it, and the system's log.",
    "locked": f"has been busy for {BUSY_SECONDS} s with another process. Try again later.",
    "malformed": "is damaged. Restore it from a backup, or import the files again into a new one.",
}


def fault(place: str, cause: object) -> StoreError:
    """What is wrong with a database, and what to do, by what the driver says."""
    said = str(cause)
    if full := unwritable(Path(place), said):
        return StoreError(f"The database {place} cannot be written, and nothing of this change was kept. {full}")
    advice = next((advice for mark, advice in _ADVICE.items() if mark in said), None)
    made = StoreBusy if "locked" in said else StoreError
    return made(f"The database {place} {advice or f'did not answer: {said.strip()}.'}")
