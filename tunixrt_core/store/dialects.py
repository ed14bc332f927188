"""What differs between SQLite and PostgreSQL: connecting, transactions, conflict-free insert, full-text search."""

from __future__ import annotations

import re
import sqlite3
import time
from typing import Any, Protocol

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Insert,
    Integer,
    Select,
    Table,
    Text,
    event,
    false,
    func,
    literal,
    literal_column,
)
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table
from sqlalchemy import text as sql
from sqlalchemy.dialects import postgresql, sqlite

from tunixrt_core.store.tables import traces

BUSY_SECONDS = 60  # how long a writer waits for another one; a large import holds the database for some seconds

_WORD = re.compile(r"\w+(?:[.,'’/-]\w+)*")  # 3.5, don't and x_1 are one word each


def search_words(text: str) -> list[str]:
    """The words of what a user typed. Marks are dropped, so nothing that is typed can be a syntax error."""
    return _WORD.findall(text)


class Dialect(Protocol):
    """One database system. Indexing is part of the caller's transaction.

    `matching` narrows a select over `traces` to the words of a text, and says by which id to order and to page.
    """

    def prepare(self, engine: Engine, *, writes: bool) -> None: ...
    def insert_new(self, table: Table, unique: str) -> Insert: ...
    def create_search(self, connection: Connection) -> None: ...
    def index_after(self, connection: Connection, trace_id: int) -> None: ...
    def unindex(self, connection: Connection, trace_id: int) -> None: ...
    def matching(self, query: Select[Any], text: str) -> tuple[Select[Any], ColumnElement[int]]: ...


class SQLite:
    """WAL with one writer at a time; FTS5 over a view, so that the text is not stored a second time."""

    def prepare(self, engine: Engine, *, writes: bool) -> None:
        @event.listens_for(engine, "connect")
        def connect(connection: Any, record: object) -> None:
            connection.isolation_level = None  # the driver's own BEGIN is deferred and breaks under two writers
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
            cursor.execute("PRAGMA foreign_keys = ON")
            if writes:
                _use_wal(cursor)
                cursor.execute("PRAGMA synchronous = FULL")
            else:
                cursor.execute("PRAGMA query_only = ON")
            cursor.close()

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def insert_new(self, table: Table, unique: str) -> Insert:
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=[unique])

    def create_search(self, connection: Connection) -> None:
        connection.execute(
            sql(
                "CREATE VIEW trace_texts AS SELECT id, json_extract(body, '$.prompt') AS prompt, "
                "(SELECT group_concat(json_extract(value, '$.content'), char(10)) FROM json_each(body, '$.steps')) "
                "AS steps, json_extract(body, '$.final_answer') AS answer FROM traces WHERE body IS NOT NULL"
            )
        )
        connection.execute(
            sql(
                "CREATE VIRTUAL TABLE trace_search USING fts5(prompt, steps, answer, "
                "content='trace_texts', content_rowid='id', tokenize='unicode61')"
            )
        )

    def index_after(self, connection: Connection, trace_id: int) -> None:
        connection.execute(
            sql(
                "INSERT INTO trace_search (rowid, prompt, steps, answer) "
                "SELECT id, prompt, steps, answer FROM trace_texts WHERE id > :id"
            ),
            {"id": trace_id},
        )

    def unindex(self, connection: Connection, trace_id: int) -> None:
        connection.execute(
            sql(
                "INSERT INTO trace_search (trace_search, rowid, prompt, steps, answer) "
                "SELECT 'delete', id, prompt, steps, answer FROM trace_texts WHERE id = :id"
            ),
            {"id": trace_id},
        )

    def matching(self, query: Select[Any], text: str) -> tuple[Select[Any], ColumnElement[int]]:
        words = search_words(text)
        if not words:
            return query.where(false()), traces.c.id
        # each word quoted, so that none is an operator; the last may be the beginning of a word
        match = " ".join(f'"{word}"' for word in words) + "*"
        found = sql_table("trace_search", sql_column("rowid", Integer), sql_column("trace_search", Text))
        hit: ColumnElement[bool] = found.c.trace_search.op("MATCH")(literal(match))
        # FTS5 gives its rows in the order of their ids by itself, if it is asked for its own id
        return query.join_from(found, traces, traces.c.id == found.c.rowid).where(hit), found.c.rowid


class PostgreSQL:
    """A GIN index over the words of the stored JSON, without its escapes."""

    # beyond this PostgreSQL refuses a search vector; the rest of a longer trace is stored but not found by its words
    _DOCUMENT = """to_tsvector('simple', regexp_replace(left(body, 250000), '[\\\\](u[0-9a-f]{4}|.)', ' ', 'g'))"""

    def prepare(self, engine: Engine, *, writes: bool) -> None:
        @event.listens_for(engine, "connect")
        def connect(connection: Any, record: object) -> None:
            with connection.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
                if not writes:
                    cursor.execute("SET default_transaction_read_only = on")
            connection.commit()

    def insert_new(self, table: Table, unique: str) -> Insert:
        return postgresql.insert(table).on_conflict_do_nothing(index_elements=[unique])

    def create_search(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"CREATE INDEX ix_traces_search ON traces USING gin (({self._DOCUMENT}))")

    def index_after(self, connection: Connection, trace_id: int) -> None:
        pass  # the index follows the table by itself

    def unindex(self, connection: Connection, trace_id: int) -> None:
        pass

    def matching(self, query: Select[Any], text: str) -> tuple[Select[Any], ColumnElement[int]]:
        words = search_words(text)
        if not words:
            return query.where(false()), traces.c.id
        parts = " & ".join(f"'{word.replace(chr(39), chr(39) * 2)}'" for word in words) + ":*"
        document: ColumnElement[Any] = literal_column(self._DOCUMENT)
        return query.where(document.op("@@")(func.to_tsquery("simple", parts))), traces.c.id


def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Switch to WAL. SQLite does not wait for a lock here, so two programs on a new database would collide."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def dialect_of(name: str) -> Dialect:
    """The dialect of a SQLAlchemy backend name."""
    return PostgreSQL() if name == "postgresql" else SQLite()
