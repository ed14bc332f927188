"""PostgreSQL: COPY for rows, GIN index for words.

Characters of scripts without spaces are doubled with a space between, so that pairs become words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, case, event, exists, false, func, literal, select

from tunixrt_core.errors import StoreError
from tunixrt_core.store.sql.dialects import Narrowed, NewTrace
from tunixrt_core.store.sql.reading import BUSY_SECONDS
from tunixrt_core.store.sql.search import SearchWords, search_words
from tunixrt_core.store.sql.tables import traces
from tunixrt_core.traces.words import INVISIBLE, UNSPACED

_COLUMNS = ", ".join(NewTrace._fields)
_NEW = "ON CONFLICT (hash) DO NOTHING RETURNING hash, id"
_COPY_FROM = 20  # for fewer rows a plain insert is quicker than a temporary table
_MARKS = re.compile("[\u0300-\u036f]")
# beyond 250,000 characters a search vector is refused; the rest of a longer trace is stored but not found by its words
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION trace_words(body text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector('simple', normalize(regexp_replace(normalize(left(
        CASE WHEN octet_length(said) = char_length(said) THEN said ELSE regexp_replace(regexp_replace(
            regexp_replace(said, '[{INVISIBLE}]+', '', 'g'), '([{UNSPACED}]+)', ' \\1 ', 'g'
        ), '([{UNSPACED}])', '\\1 \\1', 'g') END, 250000), NFD), '[\u0300-\u036f]', '', 'g'), NFC))
    FROM (SELECT concat_ws(chr(10), (
        SELECT string_agg(turn ->> 'content', chr(10)) FROM json_array_elements(trace -> 'messages') AS turn
    ), (
        SELECT string_agg(turn ->> 'content', chr(10)) FROM json_array_elements(trace -> 'turns') AS turn
    ), trace ->> 'prompt', (
        SELECT string_agg(step ->> 'content', chr(10)) FROM json_array_elements(trace -> 'steps') AS step
    ), trace ->> 'final_answer') AS said FROM (SELECT body::json AS trace) AS parsed) AS texts
$$
"""


def _has(body: ColumnElement[Any], query: ColumnElement[Any]) -> ColumnElement[bool]:
    found: ColumnElement[bool] = func.trace_words(body).op("@@")(func.to_tsquery("simple", query))
    return found


class PostgreSQL:
    """See the module."""

    plans = False

    def prepare(self, engine: Engine, *, writes: bool) -> None:
        @event.listens_for(engine, "connect")
        def connect(connection: Any, record: object) -> None:
            with connection.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
                if not writes:
                    cursor.execute("SET default_transaction_read_only = on")
            connection.commit()

    def known(self, connection: Connection, hashes: Sequence[str]) -> dict[str, int]:
        found = connection.exec_driver_sql("SELECT hash, id FROM traces WHERE hash = ANY(%s)", (list(hashes),))
        return {row[0]: row[1] for row in found}

    def insert_traces(
        self, connection: Connection, rows: Sequence[NewTrace], texts: Iterable[str]
    ) -> Mapping[str, int]:
        # two transactions may bring the same trace at once: what the other one inserted is not in the answer
        if len(rows) < _COPY_FROM:
            statement = f"INSERT INTO traces ({_COLUMNS}) VALUES ({', '.join(['%s'] * len(NewTrace._fields))}) {_NEW}"
            found = [hit for row in rows if (hit := connection.exec_driver_sql(statement, tuple(row)).first())]
            return {row[0]: row[1] for row in found}
        connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_traces ON COMMIT DROP "
            f"AS SELECT {_COLUMNS} FROM traces LIMIT 0"
        )
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY incoming_traces ({_COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        inserted = connection.exec_driver_sql(
            f"INSERT INTO traces ({_COLUMNS}) SELECT {_COLUMNS} FROM incoming_traces ORDER BY ctid {_NEW}"
        ).all()
        connection.exec_driver_sql("TRUNCATE incoming_traces")
        return {row[0]: row[1] for row in inserted}

    def put_off(self, connection: Connection) -> Callable[[], object]:
        return lambda: None  # to drop an index would lock others out of the table

    @contextmanager
    def beating(self, connection: Connection, beat: Callable[[], object]) -> Iterator[None]:
        yield  # each batch is short, and the index is written with it
        beat()

    def create_search(self, connection: Connection) -> None:
        connection.exec_driver_sql(_FUNCTION)
        connection.exec_driver_sql("CREATE INDEX ix_traces_search ON traces USING gin (trace_words(body))")

    def drop_search(self, connection: Connection) -> None:
        connection.exec_driver_sql("DROP INDEX ix_traces_search")
        connection.exec_driver_sql("DROP FUNCTION IF EXISTS trace_words(text)")

    def renew_search(self, connection: Connection) -> None:
        self.drop_search(connection)
        self.create_search(connection)

    def unindex(self, connection: Connection, ids: Sequence[int]) -> None:
        pass  # the index follows the table by itself

    def matching(self, query: Select[Any], text: str) -> Narrowed:
        words = search_words(text)
        quoted = [*map(_quoted, words.pairs), *(f"{_quoted(one)}:*" for one in words.singles)]
        quoted += map(_quoted, words.spaced)
        if not quoted:
            return query.where(false()), traces.c.id
        query = query.where(*_together(words))
        parts, other = " & ".join(quoted), traces.alias("other")
        if not words.open:
            return query.where(_has(traces.c.body, literal(parts))), traces.c.id
        # as in SQLite, the last is taken for the beginning of a word only where no trace has it as a word
        is_word = exists(select(literal(1)).select_from(other).where(_has(other.c.body, literal(quoted[-1]))))
        return query.where(_has(traces.c.body, case((is_word, parts), else_=f"{parts}:*"))), traces.c.id

    def checking(self, query: Select[Any], text: str) -> Select[Any]:
        return self.matching(query, text)[0]  # the server chooses by itself

    def problems(self, connection: Connection) -> list[str]:
        return []  # the server looks after its own pages

    def backup(self, connection: Connection, path: Path) -> None:
        raise StoreError(
            "This store is in PostgreSQL, which has its own tools: back it up with pg_dump --format=custom, "
            "and bring it back with pg_restore."
        )


def _quoted(word: str) -> str:
    folded = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", word)))
    return "'" + folded.replace("'", "''") + "'"


def _together(words: SearchWords) -> Iterator[ColumnElement[bool]]:
    """Conditions that the characters of each run are consecutive: the index knows only the pairs of a trace."""
    for run in words.runs:
        seen = func.regexp_replace(traces.c.body, f"[{INVISIBLE}]+", "", "g")
        yield func.strpos(seen, run) > 0
