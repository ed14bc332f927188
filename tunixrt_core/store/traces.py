"""Traces in the store: insert, find, page, search, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, select, update

from tunixrt_core.datasets import Candidate
from tunixrt_core.errors import InvalidQuery, NotFound
from tunixrt_core.store.engine import Database
from tunixrt_core.store.query import (
    InsertCounts,
    Neighbours,
    Page,
    StoredTrace,
    TraceQuery,
    check_limit,
    decode_cursor,
    encode_cursor,
)
from tunixrt_core.store.tables import traces
from tunixrt_core.traces import Trace

BATCH_ROWS = 1_000
BATCH_BYTES = 8 << 20
_LOOKUP = 128  # traces fetched at once by hash: at most as many MiB
_REF_MIN = 8

Clock = Callable[[], datetime]


class TraceStore:
    """The traces of one database. A deleted trace leaves a tombstone: its hash and times, nothing of its content."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    def insert(self, new: Iterable[Trace]) -> InsertCounts:
        """Store every trace, or, where iteration raises, none. One that is there already counts as duplicate.

        A deleted trace that comes again is stored again and counts as inserted.
        """
        now = self._clock()
        inserted = total = 0
        with self._db.write() as connection:
            before = connection.execute(select(func.coalesce(func.max(traces.c.id), 0))).scalar_one()
            for batch in _batches(new):
                total += len(batch)
                inserted += self._insert_batch(connection, batch, now)
            if inserted:
                self._db.dialect.index_after(connection, before)
        return InsertCounts(inserted, total - inserted)

    def _insert_batch(self, connection: Connection, batch: Sequence[Trace], now: datetime) -> int:
        unknown = _unknown(connection, batch)
        if not unknown:
            return 0
        rows = [
            {
                "hash": trace.content_hash,
                "group_key": trace.group_key,
                "source": trace.source,
                "model": trace.model,
                "body": trace.canonical.decode(),
                "created_at": now,
            }
            for trace in unknown
        ]
        # two PostgreSQL transactions may bring the same trace at once; SQLite lets in one writer only
        statement = self._db.dialect.insert_new(traces, "hash").execution_options(preserve_rowcount=True)
        return connection.execute(statement, rows).rowcount

    def get(self, ref: str) -> StoredTrace:
        """The trace of a hash, or of its first 8 or more digits. Raises NotFound, InvalidQuery if several match."""
        with self._db.read() as connection:
            return _stored(_find(connection, ref))

    def page(self, query: TraceQuery, *, after: str | None = None, limit: int = 50) -> Page[StoredTrace]:
        """Matching traces, newest first. `after` is the `next` of the page before. Raises InvalidQuery."""
        wanted, key = self._matching(select(traces), query)
        wanted = wanted.order_by(key.desc()).limit(check_limit(limit) + 1)
        if after is not None:
            wanted = wanted.where(key < decode_cursor(after))
        with self._db.read() as connection:
            rows = connection.execute(wanted).all()
        more = encode_cursor(rows[limit - 1].id) if len(rows) > limit else None
        return Page(tuple(_stored(row) for row in rows[:limit]), more)

    def neighbours(self, ref: str, query: TraceQuery) -> Neighbours:
        """The hashes before and after a trace in the listing of `query`. Raises NotFound."""
        hashes, key = self._matching(select(traces.c.hash), query)
        with self._db.read() as connection:
            at = _find(connection, ref).id
            newer = connection.execute(hashes.where(key > at).order_by(key).limit(1)).scalar()
            older = connection.execute(hashes.where(key < at).order_by(key.desc()).limit(1)).scalar()
        return Neighbours(newer, older)

    def count(self, query: TraceQuery) -> int:
        """How many traces match. Answered from indexes alone, however large the traces are."""
        with self._db.read() as connection:
            if query == TraceQuery():
                every: int = connection.execute(select(func.count()).select_from(traces)).scalar_one()
                gone: int = connection.execute(
                    select(func.count()).where(traces.c.deleted_at.is_not(None))
                ).scalar_one()
                return every - gone
            wanted, _ = self._matching(select(func.count(traces.c.id)), query)
            number: int = connection.execute(wanted).scalar_one()
        return number

    def sources(self) -> list[tuple[str, int]]:
        """Every source with its number of traces, the largest first."""
        return self._tally("source")

    def models(self) -> list[tuple[str, int]]:
        """Every model with its number of traces, the largest first."""
        return self._tally("model")

    def _tally(self, name: str) -> list[tuple[str, int]]:
        column, count = traces.c[name], func.count(traces.c.id)
        wanted = select(column, count).where(column.is_not(None)).group_by(column).order_by(count.desc(), column)
        with self._db.read() as connection:
            return [(value, number) for value, number in connection.execute(wanted)]

    def delete(self, ref: str) -> str:
        """Remove a trace's content and leave a tombstone. Returns its hash. Raises NotFound."""
        with self._db.write() as connection:
            row = _find(connection, ref)
            self._db.dialect.unindex(connection, row.id)
            connection.execute(
                update(traces)
                .where(traces.c.id == row.id)
                .values(body=None, group_key=None, source=None, model=None, deleted_at=self._clock())
            )
        return str(row.hash)

    def select(self, query: TraceQuery) -> Iterator[Candidate]:
        """Matching traces as light tuples, newest first, streamed."""
        wanted, key = self._matching(select(traces.c.id, traces.c.hash, traces.c.group_key), query)
        with self._db.read() as connection:
            streamed = connection.execution_options(yield_per=5_000).execute(wanted.order_by(key.desc()))
            for row in streamed:
                yield Candidate(row.id, row.hash, row.group_key)

    def by_hashes(self, hashes: Iterable[str], *, on_missing: Callable[[str], object] | None = None) -> Iterator[Trace]:
        """The traces of full hashes, in the order given, streamed.

        A trace that is not there, or was deleted, raises NotFound; with `on_missing`, that is told its hash instead.
        """
        rest = iter(hashes)
        while chunk := list(islice(rest, _LOOKUP)):
            with self._db.read() as connection:
                found = connection.execute(select(traces.c.hash, traces.c.body).where(traces.c.hash.in_(chunk)))
                bodies = {row.hash: row.body for row in found if row.body is not None}
            for one in chunk:
                if one in bodies:
                    yield _trace(bodies[one])
                elif on_missing is not None:
                    on_missing(one)
                else:
                    raise NotFound("trace", one, "It was deleted, or never imported here.")

    def _matching(self, query: Select[Any], wanted: TraceQuery) -> tuple[Select[Any], ColumnElement[int]]:
        """The select narrowed to a query, and the id by which to order and to page it."""
        searches = bool(wanted.text.strip())
        filters = [
            (c, v) for c, v in ((traces.c.source, wanted.source), (traces.c.model, wanted.model)) if v is not None
        ]
        if not filters and not searches:
            return query.where(traces.c.deleted_at.is_(None)), traces.c.id
        # a tombstone has no source, no model and no words, so from here on none can match
        for column, value in filters:
            # the words must lead: with an index here SQLite would search once for every trace of a source
            query = query.where((func.coalesce(column, "") if searches else column) == value)
        return self._db.dialect.matching(query, wanted.text) if searches else (query, traces.c.id)


def _batches(new: Iterable[Trace]) -> Iterator[list[Trace]]:
    batch: list[Trace] = []
    size = 0
    for trace in new:
        batch.append(trace)
        size += len(trace.canonical)
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _unknown(connection: Connection, batch: Sequence[Trace]) -> list[Trace]:
    """The traces that are not stored yet, each once. Tombstones of theirs are dropped, so that they come as new."""
    new = {trace.content_hash: trace for trace in batch}
    stored = select(traces.c.hash, traces.c.deleted_at).where(traces.c.hash.in_(new))
    found = {row.hash: row.deleted_at is not None for row in connection.execute(stored)}
    if tombstones := [one for one, deleted in found.items() if deleted]:
        connection.execute(delete(traces).where(traces.c.hash.in_(tombstones)))
    return [trace for one, trace in new.items() if found.get(one, True)]


def _find(connection: Connection, ref: str) -> Row[Any]:
    start = ref.strip().lower()
    if len(start) < _REF_MIN or len(start) > 64 or not all(c in "0123456789abcdef" for c in start):
        raise NotFound("trace", ref[:80], f"A trace is known by its hash, or by the first {_REF_MIN} or more digits.")
    wanted = select(traces).where(traces.c.hash >= start, traces.c.hash < start + "g").limit(2)
    rows = connection.execute(wanted).all()
    if not rows:
        raise NotFound("trace", ref)
    if len(rows) > 1:
        raise InvalidQuery(f"Several traces begin with {ref}; give more digits of the hash.")
    if rows[0].body is None:
        raise NotFound("trace", ref, f"It was deleted on {rows[0].deleted_at:%Y-%m-%d}.")
    return rows[0]


def _stored(row: Row[Any]) -> StoredTrace:
    return StoredTrace(row.hash, _trace(row.body), row.created_at)


def _trace(body: str) -> Trace:
    return Trace.from_canonical(body.encode())
