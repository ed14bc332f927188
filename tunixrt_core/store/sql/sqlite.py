"""SQLite: WAL, one writer, FTS5 over a view.

The index holds which words a trace has, not their positions (`detail=none`): a fifth of the size, and much quicker to
fill. Whether words are consecutive, such as 3 and 5 in 3.5, is checked in the trace itself.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Select,
    TableClause,
    Text,
    case,
    event,
    exists,
    false,
    func,
    literal,
    select,
)
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table
from sqlalchemy.exc import OperationalError

from tunixrt_core.store.sql.dialects import Narrowed, NewTrace
from tunixrt_core.store.sql.reading import BUSY_SECONDS
from tunixrt_core.store.sql.search import SearchWords, has_runs, indexed_text, search_words, text_of_body
from tunixrt_core.store.sql.tables import traces
from tunixrt_core.store.sql.words import TOKENIZE, has_words, match_words, tokens_of

_CACHE_KIB = 8_192  # random places of the hash index are written in an import; the default is 2,000
# of the search index, gathered in memory before a part is written; with the default, 1 MiB, an import takes longer
_SEARCH_BYTES = 8 << 20
_BEAT_STEPS = 2_000  # of its virtual machine: a millisecond or two of an import
_ROWS = 50  # of a statement: half the time of a statement a row, which opens nine trees and looks up the last id
# `OR FAIL`, because what fails undoes the whole import anyway: without it, SQLite copies each page that a statement of
# several rows changes, to be able to undo that statement alone
_PLACES = f"({', '.join('?' * len(NewTrace._fields))})"
_INSERT_ONE, _INSERT_MANY = (
    f"INSERT OR FAIL INTO traces ({', '.join(NewTrace._fields)}) VALUES {', '.join([_PLACES] * rows)} "
    "ON CONFLICT (hash) DO NOTHING"
    for rows in (1, _ROWS)
)
_GROUPS = "ix_traces_group_key"
_HASH = itemgetter(NewTrace._fields.index("hash"))
_INDEX = "INSERT INTO trace_search (rowid, text) VALUES (?, ?)"
_UNINDEX = "INSERT INTO trace_search (trace_search, rowid, text) VALUES ('delete', ?, ?)"
_RENEW_ROWS = 500
_FOUND = sql_table("trace_search", sql_column("rowid", Integer), sql_column("trace_search", Text))


class SQLite:
    """See the module."""

    plans = True  # SQLite has no statistics of a database that nobody analysed

    def prepare(self, engine: Engine, *, writes: bool) -> None:
        @event.listens_for(engine, "connect")
        def connect(connection: Any, record: object) -> None:
            connection.isolation_level = None  # the driver's own BEGIN is deferred and breaks under two writers
            connection.create_function("has_words", 3, has_words, deterministic=True)
            connection.create_function("has_runs", 2, has_runs, deterministic=True)
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
            cursor.execute("PRAGMA foreign_keys = ON")
            if writes:
                _use_wal(cursor)
                cursor.execute("PRAGMA synchronous = FULL")
                cursor.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            else:
                cursor.execute("PRAGMA query_only = ON")
            cursor.close()

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            if writes:
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # may find another writer, which SQLAlchemy's errors tell
            else:  # looks at nothing yet, so nothing can be wrong: by the driver, in a tenth of the time
                cast(sqlite3.Connection, connection.connection.driver_connection).execute("BEGIN")

    def known(self, connection: Connection, hashes: Sequence[str]) -> dict[str, int]:
        # the unique index alone answers this; one JSON parameter is read faster than a thousand
        found = connection.exec_driver_sql(
            "SELECT hash, id FROM traces WHERE hash IN (SELECT value FROM json_each(?))",
            (orjson.dumps(hashes).decode(),),
        )
        return {row[0]: row[1] for row in found}

    def insert_traces(
        self, connection: Connection, rows: Sequence[NewTrace], texts: Iterable[str]
    ) -> Mapping[str, int]:
        number = _insert(connection, rows)
        if not number:
            return {}
        # a new row's number is higher than every other, and this transaction is the only writer
        if number < len(rows):
            newest = connection.exec_driver_sql("SELECT hash, id FROM traces ORDER BY id DESC LIMIT ?", (number,))
            new = {row[0]: row[1] for row in newest}
            pairs = zip(rows, texts, strict=True)
            self.index(connection, [(new[row.hash], text) for row, text in pairs if row.hash in new])
            return new
        last: int = connection.exec_driver_sql("SELECT max(id) FROM traces").scalar_one()
        ids = range(last + 1 - number, last + 1)
        self.index(connection, zip(ids, texts, strict=True))
        return dict(zip(map(_HASH, rows), ids, strict=True))

    def put_off(self, connection: Connection) -> Callable[[], object]:
        # group keys come in no order, so each row writes to a page of its own. The other indexes are small, or grow at
        # their end; rebuilding them would read the bodies, as their columns come after the bodies.
        made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (_GROUPS,)).scalar_one()
        connection.exec_driver_sql(f"DROP INDEX {_GROUPS}")
        return lambda: connection.exec_driver_sql(made)

    def index(self, connection: Connection, texts: Iterable[tuple[int, str]]) -> None:
        """Put texts into the search index: taken from memory, they need not be read out of their JSON again."""
        connection.exec_driver_sql(_INDEX, list(texts))

    @contextmanager
    def beating(self, connection: Connection, beat: Callable[[], object]) -> Iterator[None]:
        """Between steps of SQLite's own program: an index that merges its parts may write for seconds in one insert."""
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        ended = False

        def asked() -> bool:
            nonlocal ended
            ended = True
            beat()  # SQLite takes the error for a request to stop, and swallows it
            ended = False
            return False

        driver.set_progress_handler(asked, _BEAT_STEPS)
        try:
            yield
            # what the search index still holds in memory is written here, where it can be broken off, not by the commit
            driver.execute("SAVEPOINT written")
            driver.execute("RELEASE written")
        except (sqlite3.OperationalError, OperationalError):
            if ended:
                beat()  # SQLite swallowed its error; called again, it raises here
            raise
        finally:
            driver.set_progress_handler(None, 0)
        beat()

    def create_search(self, connection: Connection) -> None:
        connection.exec_driver_sql(
            f"CREATE VIRTUAL TABLE trace_search USING fts5(text, content='', detail=none, columnsize=0, {TOKENIZE})"
        )
        for name, value in (("hashsize", _SEARCH_BYTES), ("automerge", 0)):
            # without automerge, sixteen parts are merged once there are sixteen, instead of four at a time
            connection.exec_driver_sql("INSERT INTO trace_search (trace_search, rank) VALUES (?, ?)", (name, value))

    def drop_search(self, connection: Connection) -> None:
        connection.exec_driver_sql("DROP TABLE trace_search")
        connection.exec_driver_sql("DROP VIEW IF EXISTS trace_texts")  # of schema 0006 and before

    def renew_search(self, connection: Connection) -> None:
        self.drop_search(connection)
        self.create_search(connection)
        last = 0
        while texts := _texts(connection, "id > ? ORDER BY id LIMIT ?", (last, _RENEW_ROWS)):
            last = texts[-1][0]
            self.index(connection, texts)

    def unindex(self, connection: Connection, ids: Sequence[int]) -> None:
        # the index forgets a text by its words, which it does not hold in one place
        if texts := _texts(connection, "id IN (SELECT value FROM json_each(?))", (orjson.dumps(ids).decode(),)):
            connection.exec_driver_sql(_UNINDEX, texts)

    def matching(self, query: Select[Any], text: str) -> Narrowed:
        words = search_words(text)
        tokens = _tokens(words)
        if not tokens:
            return query.where(false()), traces.c.id
        wanted: ColumnElement[Any] = literal(match_words(tokens, beginning=False))
        if words.open:
            is_word = _is_word(_FOUND, tokens[-1])
            wanted = case((is_word, wanted), else_=literal(match_words(tokens, beginning=True)))
        hit: ColumnElement[bool] = _FOUND.c.trace_search.op("MATCH")(wanted)
        # FTS5 returns its rows in the order of their ids by itself, if the query selects its own id
        narrowed = query.join_from(_FOUND, traces, traces.c.id == _FOUND.c.rowid).where(hit, *_together(words))
        return narrowed, _FOUND.c.rowid

    def checking(self, query: Select[Any], text: str) -> Select[Any]:
        words = search_words(text)
        tokens = _tokens(words)
        if not tokens:
            return query.where(false())
        beginning = case((_is_word(_FOUND, tokens[-1]), 0), else_=1) if words.open else literal(0)
        # once for all rows, however many are asked
        once = select(beginning).scalar_subquery()
        return query.where(func.has_words(traces.c.body, orjson.dumps(tokens).decode(), once) == 1, *_together(words))

    def problems(self, connection: Connection) -> list[str]:
        found = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check(20)") if row[0] != "ok"]
        found += [f"{row[0]} names a missing row" for row in connection.exec_driver_sql("PRAGMA foreign_key_check")]
        return found

    def backup(self, connection: Connection, path: Path) -> None:
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        target = sqlite3.connect(path)
        try:
            driver.backup(target)
        finally:
            target.close()


def _insert(connection: Connection, rows: Sequence[NewTrace]) -> int:
    """Insert the rows that are new. Returns their number."""
    whole = len(rows) - len(rows) % _ROWS
    number = 0
    if whole:
        many = [tuple(chain.from_iterable(rows[at : at + _ROWS])) for at in range(0, whole, _ROWS)]
        number += connection.exec_driver_sql(_INSERT_MANY, many).rowcount
    if whole < len(rows):
        number += connection.exec_driver_sql(_INSERT_ONE, rows[whole:]).rowcount
    return number


def _texts(connection: Connection, which: str, values: tuple[object, ...]) -> list[tuple[int, str]]:
    """The texts of stored traces as the index was given them."""
    found = connection.exec_driver_sql(f"SELECT id, body FROM traces WHERE body IS NOT NULL AND {which}", values)
    return [(row[0], indexed_text(text_of_body(row[1]))) for row in found]


def _tokens(words: SearchWords) -> list[str]:
    """All tokens that a trace must have; each single character with a `*`, as it may begin a pair."""
    spaced = tokens_of(" ".join(words.spaced)) if words.spaced else ()
    return [*words.pairs, *(f"{single}*" for single in words.singles), *spaced]


def _is_word(found: TableClause, token: str) -> ColumnElement[bool]:
    """Whether any trace has the token as a word; where none has, it is taken for the beginning of one.

    Only there: to gather all words that begin with a common one takes 300 ms at a million traces, the word alone 0.3.
    """
    probe = found.alias("probe")
    has_it = probe.c.trace_search.op("MATCH")(match_words([token], beginning=False))
    return exists(select(literal(1)).select_from(probe).where(has_it))


def _together(words: SearchWords) -> Iterator[ColumnElement[bool]]:
    """Conditions that search words of several tokens are in the trace as typed."""
    for word in words.together:
        yield func.instr(func.lower(traces.c.body), word) > 0
    if words.runs:
        yield func.has_runs(traces.c.body, orjson.dumps(words.runs).decode()) == 1


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
