"""SQLAlchemy's connection pools, and errors as sentences."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, inspect
from sqlalchemy import text as sql_text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from tunixrt_core.errors import StoreBusy, StoreError
from tunixrt_core.store.sql.dialects import Dialect
from tunixrt_core.store.sql.reading import (
    BUSY_SECONDS,
    Reader,
    SQLiteReader,
    StoredRow,
    fault,
    is_outer_fault,
    make_folder,
    path_in,
)
from tunixrt_core.util.once import made_once


class Pools:
    """Connection pools. Writers wait for each other; readers see the last commit and never wait."""

    def __init__(self, url: str) -> None:
        self._parsed = parsed = _parse(url)
        self.place = parsed.database or "" if parsed.get_backend_name() == "sqlite" else parsed.render_as_string()
        self.dialect: Dialect = dialect_of(parsed.get_backend_name())
        with self._sentences():
            self._reader = _engine(parsed, pool_size=4, max_overflow=28)
            self._writer = _engine(parsed, pool_size=1, max_overflow=0)
        self.dialect.prepare(self._reader, writes=False)
        self.dialect.prepare(self._writer, writes=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._sentences(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self._sentences(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def apart(self) -> Iterator[Connection]:
        with self._sentences(), self._apart.begin() as connection:
            yield connection

    @made_once
    def _apart(self) -> Engine:
        """One more connection to a server; a SQLite file has one writer."""
        if self._parsed.get_backend_name() == "sqlite":
            return self._writer
        engine = _engine(self._parsed, pool_size=1, max_overflow=1)
        self.dialect.prepare(engine, writes=True)
        return engine

    def close(self) -> None:
        if "_apart" in vars(self):
            self._apart.dispose()
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
            if not is_outer_fault(error):
                raise
            raise fault(self.place, error.orig) from None


def reader_of(connection: Connection) -> Reader:
    """A Reader within the caller's transaction."""
    driver = connection.connection.driver_connection
    return SQLiteReader(driver) if isinstance(driver, sqlite3.Connection) else _ServerReader(connection)


class _ServerReader:
    """A Reader of PostgreSQL."""

    numbers = "SELECT value::bigint FROM json_array_elements_text(CAST(:numbers AS json))"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, **values: object) -> list[StoredRow]:
        return [dict(row) for row in self._connection.execute(sql_text(sql), values).mappings()]

    def has_table(self, name: str) -> bool:
        return inspect(self._connection).has_table(name)


def dialect_of(name: str) -> Dialect:
    """The dialect of a SQLAlchemy backend name."""
    if name == "postgresql":
        from tunixrt_core.store.sql.postgres import PostgreSQL

        return PostgreSQL()
    from tunixrt_core.store.sql.sqlite import SQLite

    return SQLite()


def _parse(url: str) -> URL:
    if path := path_in(url):
        return URL.create("sqlite", database=str(make_folder(path)))
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
    return parsed.set(database=str(make_folder(Path(parsed.database))))


def _engine(url: URL, **pool: Any) -> Engine:
    sqlite = url.get_backend_name() == "sqlite"
    arguments = {"check_same_thread": False, "timeout": BUSY_SECONDS} if sqlite else {}
    return create_engine(url, poolclass=QueuePool, pool_timeout=BUSY_SECONDS, connect_args=arguments, **pool)
