"""One database: a pool for reading, one connection for writing, and errors as sentences."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from tunixrt_core.errors import StoreBusy, StoreError
from tunixrt_core.store.sql.dialects import BUSY_SECONDS, Dialect
from tunixrt_core.store.sql.postgres import PostgreSQL
from tunixrt_core.store.sql.sqlite import SQLite


class Database:
    """Connections to one database. Writers stand in line; readers see the last commit and never wait."""

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        self.place = parsed.database or "" if parsed.get_backend_name() == "sqlite" else parsed.render_as_string()
        self.dialect: Dialect = dialect_of(parsed.get_backend_name())
        with self._sentences():
            self._reader = _engine(parsed, pool_size=4, max_overflow=28)
            self._writer = _engine(parsed, pool_size=1, max_overflow=0)
        self.dialect.prepare(self._reader, writes=False)
        self.dialect.prepare(self._writer, writes=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one moment of the database. Raises StoreError."""
        with self._sentences(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it is kept, or, after any exception, nothing. Raises StoreError."""
        with self._sentences(), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout:
            raise StoreBusy(
                f"The database {self.place} has been busy for {BUSY_SECONDS} s with another import. Try again later."
            ) from None
        except DatabaseError as error:
            # integrity and programming errors are bugs or are caught where they can happen
            if type(error) is not DatabaseError and not isinstance(error, OperationalError):
                raise
            cause = str(error.orig)
            made = StoreBusy if "locked" in cause else StoreError
            raise made(f"The database {self.place} {_what_to_do(cause)}") from None


def dialect_of(name: str) -> Dialect:
    """The dialect of a SQLAlchemy backend name."""
    return PostgreSQL() if name == "postgresql" else SQLite()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError("The database URL cannot be read. It looks like sqlite:////path/to/tunixrt.db.") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        if importlib.util.find_spec("psycopg") is None:
            raise StoreError('PostgreSQL needs its driver: pip install "tunix-rt[postgres]".')
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise StoreError(f"The database {backend} is not supported; use a sqlite:/// or postgresql:// URL.")
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("A SQLite database in memory cannot be shared between threads; name a file.")
    path = Path(parsed.database).expanduser().absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The directory {path.parent} for the database cannot be made ({error.strerror or error}). "
            "Set TUNIXRT_HOME to a directory that can be written."
        ) from None
    return parsed.set(database=str(path))


def _engine(url: URL, **pool: Any) -> Engine:
    sqlite = url.get_backend_name() == "sqlite"
    arguments = {"check_same_thread": False, "timeout": BUSY_SECONDS} if sqlite else {}
    return create_engine(url, poolclass=QueuePool, pool_timeout=BUSY_SECONDS, connect_args=arguments, **pool)


_ADVICE = {
    "not a database": "is not a SQLite database. Move that file away, or name another database.",
    "unable to open": "cannot be opened. Check that its directory exists and can be written.",
    "readonly": "cannot be written. Mend the permissions of the file and of its directory.",
    "disk is full": "cannot be written: the disk is full. Nothing of this change was kept; make room and try again.",
    "locked": f"has been busy for {BUSY_SECONDS} s with another process. Try again later.",
    "malformed": "is damaged. Restore it from a backup, or import the files again into a new one.",
}


def _what_to_do(cause: str) -> str:
    advice = next((advice for mark, advice in _ADVICE.items() if mark in cause), None)
    return advice or f"did not answer: {cause.strip()}."
