"""Traces in the store: insert, find, page, search, count, delete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    bindparam,
    delete,
    func,
    select,
    update,
)

from tunixrt_core.datasets.pool import Candidate
from tunixrt_core.errors import InvalidQuery, NotFound
from tunixrt_core.store.query import (
    MOST_COUNTED,
    NEWEST,
    Count,
    InsertCounts,
    Page,
    StoredTrace,
    TraceQuery,
    check_limit,
    decode_cursor,
)
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.pools import reader_of
from tunixrt_core.store.sql.tables import trace_notes, trace_scores, trace_tags, trace_tallies, traces
from tunixrt_core.store.traces.filters import narrow
from tunixrt_core.store.traces.gathering import Gathering
from tunixrt_core.store.traces.listed import Shown, newest_traces, one_trace, page_of, tally
from tunixrt_core.store.traces.lookup import find
from tunixrt_core.store.traces.writing import TraceWriter, batches, change_tallies, tallies_of
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

_ALL = TraceQuery()
_SHOWN: Select[Any] = select(traces.c.id, traces.c.hash, traces.c.body, traces.c.created_at)
_below, _most = bindparam("below", type_=BigInteger), bindparam("most", type_=Integer)
_LOOKUP = 128  # traces fetched at once by hash: at most as many MiB
_DELETE_BATCH = 500

Clock = Callable[[], datetime]


class TraceStore:
    """The traces of one database. A deleted trace leaves a tombstone: its hash and times, nothing of its content."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock
        self._gathering = Gathering(self._insert_each)

    def insert(self, new: Iterable[Trace | ScoredTrace], *, beat: Callable[[], object] | None = None) -> InsertCounts:
        """Store every trace with its scores, or, where iteration or `beat` raises, none.

        A trace twice counts as duplicate. A deleted trace that comes again is stored again and counts as inserted.
        `beat` is called again and again while the database writes, and a last time before the commit.
        """
        now = self._clock()
        total = 0
        with self._db.write() as connection, self._beating(connection, beat):
            writer = TraceWriter(connection, self._db.dialect, now)
            for batch in batches(new):
                total += len(batch)
                writer.add(batch)
            writer.finish()
        return InsertCounts(writer.inserted, total - writer.inserted)

    def _beating(self, connection: Connection, beat: Callable[[], object] | None) -> AbstractContextManager[None]:
        return nullcontext() if beat is None else self._db.dialect.beating(connection, beat)

    def insert_one(self, item: Trace | ScoredTrace) -> bool:
        """Store one trace; whether it was new. What several threads bring at once shares one transaction."""
        return self._gathering.add(item)

    def _insert_each(self, items: Sequence[Trace | ScoredTrace]) -> list[bool]:
        with self._db.write() as connection:
            writer = TraceWriter(connection, self._db.dialect, self._clock())
            new = writer.add(items)
            writer.finish()
        hashes = [(item if isinstance(item, Trace) else item.trace).content_hash for item in items]
        # of the same trace twice, the first is the new one
        return [one in new and hashes.index(one) == i for i, one in enumerate(hashes)]

    def get(self, ref: str) -> StoredTrace:
        """The trace of a hash, or of its first 8 or more digits. Raises NotFound, InvalidQuery if several match."""
        with self._db.reading() as reader:
            return one_trace(reader, ref)

    def page(self, query: TraceQuery, *, after: str | None = None, limit: int = 50) -> Page[StoredTrace]:
        """Matching traces, newest first. `after` is the `next` of the page before. Raises InvalidQuery."""
        if query == _ALL:
            with self._db.reading() as reader:
                return newest_traces(reader, after, limit)
        with self._db.read() as connection:
            most, below = check_limit(limit) + 1, NEWEST if after is None else decode_cursor(after)
            wanted, key = self._matching(connection, _SHOWN, query)
            wanted = wanted.order_by(key.desc()).limit(_most)
            # on the first page it would only tempt the planner to read by id
            wanted = wanted if after is None else wanted.where(key < _below)
            rows = [Shown(*row) for row in connection.execute(wanted, {"below": below, "most": most})]
            return page_of(reader_of(connection), rows, limit)

    def count(self, query: TraceQuery, *, most: int = MOST_COUNTED) -> Count:
        """How many traces match: exact with no filter or with one of source, model, answer or tag.

        Otherwise exact up to `most`, and at least that where there are more.
        """
        with self._db.read() as connection:
            if (known := _tallied(connection, query)) is not None:
                return Count(known)
            wanted, _ = self._matching(connection, select(traces.c.id), query)
            some = wanted.limit(most + 1).subquery()
            number: int = connection.execute(select(func.count()).select_from(some)).scalar_one()
        return Count(min(number, most), exact=number <= most)

    def sources(self) -> list[tuple[str, int]]:
        """Every source with its number of traces, the largest first."""
        return self._tally("source")

    def models(self) -> list[tuple[str, int]]:
        """Every model with its number of traces, the largest first."""
        return self._tally("model")

    def answers(self) -> list[tuple[str, int]]:
        """How many traces are right, wrong and unknown, the most first."""
        return self._tally("answer")

    def _tally(self, kind: str) -> list[tuple[str, int]]:
        count = trace_tallies.c.traces
        wanted = select(trace_tallies.c.value, count).where(trace_tallies.c.kind == kind)
        with self._db.read() as connection:
            found = connection.execute(wanted.order_by(count.desc(), trace_tallies.c.value))
            return [(value, number) for value, number in found]

    def delete(self, ref: str) -> str:
        """Remove a trace's content and what was said about it; leave a tombstone. Its hash. Raises NotFound."""
        with self._db.write() as connection:
            row = find(reader_of(connection), ref)
            self._bury(connection, [row["id"]])
        return str(row["hash"])

    def delete_matching(self, query: TraceQuery) -> int:
        """Delete all that match, in one transaction. Returns how many. Raises InvalidQuery without any filter."""
        if query == TraceQuery():
            raise InvalidQuery(
                "Deleting needs a filter, such as a source or a date: without one, every trace would go."
            )
        gone = 0
        with self._db.write() as connection:
            wanted, key = self._matching(connection, select(traces.c.id), query)
            wanted = wanted.order_by(key.desc()).limit(_DELETE_BATCH)
            while ids := list(connection.execute(wanted).scalars()):
                self._bury(connection, ids)
                gone += len(ids)
        return gone

    def _bury(self, connection: Connection, ids: list[int]) -> None:
        mine = traces.c.id.in_(ids)
        counted = select(traces.c.source, traces.c.model, traces.c.correct).where(mine)
        less: Counter[tuple[str, str]] = Counter()
        for source, model, correct in connection.execute(counted):
            less.subtract(tallies_of(source, model, correct))
        self._db.dialect.unindex(connection, ids)
        for table in (trace_tags, trace_notes, trace_scores):
            connection.execute(delete(table).where(table.c.trace_id.in_(ids)))
        blank = dict.fromkeys(("body", "group_key", "source", "model", "step_count", "size", "correct"))
        connection.execute(update(traces).where(mine).values(**blank, deleted_at=self._clock()))
        change_tallies(connection, less)

    def select(self, query: TraceQuery) -> Iterator[Candidate]:
        """Matching traces as light tuples, newest first, streamed."""
        with self._db.read() as connection:
            light = select(traces.c.id, traces.c.hash, traces.c.group_key)
            wanted, key = self._matching(connection, light, query)
            streamed = connection.execution_options(yield_per=5_000).execute(wanted.order_by(key.desc()))
            for row in streamed:
                yield Candidate(row.id, row.hash, row.group_key)

    def body(self, trace_hash: str) -> str | None:
        """The canonical JSON of a trace by its full hash; None where it is not stored."""
        with self._db.reading() as reader:
            rows = reader.rows("SELECT body FROM traces WHERE hash = :hash", hash=trace_hash)
        return rows[0]["body"] if rows else None

    def by_hashes(self, hashes: Iterable[str], *, on_missing: Callable[[str], object] | None = None) -> Iterator[Trace]:
        """The traces of full hashes, in the order given, streamed.

        A trace that is missing or deleted raises NotFound; with `on_missing`, that is called with its hash instead.
        """
        return map(Trace.from_canonical, self.bodies(hashes, on_missing=on_missing))

    def bodies(self, hashes: Iterable[str], *, on_missing: Callable[[str], object] | None = None) -> Iterator[bytes]:
        """As `by_hashes`, the canonical JSON of each."""
        rest = iter(hashes)
        while chunk := list(islice(rest, _LOOKUP)):
            with self._db.read() as connection:
                found = connection.execute(select(traces.c.hash, traces.c.body).where(traces.c.hash.in_(chunk)))
                bodies = {row.hash: row.body for row in found if row.body is not None}
            for one in chunk:
                if one in bodies:
                    yield bodies[one].encode()
                elif on_missing is not None:
                    on_missing(one)
                else:
                    raise NotFound("trace", one, "It was deleted, or never imported here.")

    def _matching(
        self, connection: Connection, query: Select[Any], wanted: TraceQuery
    ) -> tuple[Select[Any], ColumnElement[int]]:
        return narrow(connection, self._db.dialect, query, wanted)


def _tallied(connection: Connection, query: TraceQuery) -> int | None:
    """The number that is kept or is quick to count: of all, or of one source, model, tag, or kind of answer."""
    filters = query.asked()
    if len(filters) > 1:
        return None
    name, value = next(iter(filters.items()), ("all", ""))
    if name == "tags" and len(value) == 1:
        tagged = select(func.count()).select_from(trace_tags).where(trace_tags.c.tag == value[0])
        return int(connection.execute(tagged).scalar_one())
    tallies = {"all": "", "source": value, "model": value}
    if name == "correct" or (name == "judged" and not value):
        name, value = "answer", "unknown" if name == "judged" else "right" if value else "wrong"
    elif name not in tallies:
        return None
    return tally(reader_of(connection), name, value)
