"""Counts of traces, dataset versions and runs, total and new."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, func, literal, select

from tunixrt_core.store.query import Growth
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.tables import dataset_versions, runs, trace_tallies, traces

_REMEMBERED_FOR = timedelta(minutes=10)


class CountStore:
    """Counts of one database."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._remembered: tuple[Growth, datetime] | None = None

    def traces(self, since: datetime) -> Growth:
        """The number of traces, and of those that were stored since and not deleted.

        Counted again when their number changes or `since` moves by ten minutes: a million new ones take 50 ms.
        The index of times counts tombstones too, and the index of tombstones takes them off: no trace is read.
        """
        tally = select(func.coalesce(func.sum(trace_tallies.c.traces), 0)).where(trace_tallies.c.kind == "all")
        with self._db.read() as connection:
            total = connection.execute(tally).scalar_one()
            known = self._remembered
            if known is None or known[0].total != total or abs(known[1] - since) > _REMEMBERED_FOR:
                known = Growth(total, _stored_since(connection, since)), since
                self._remembered = known
        return known[0]

    def dataset_versions(self, since: datetime) -> Growth:
        return self._few(dataset_versions, since)

    def runs(self, since: datetime) -> Growth:
        return self._few(runs, since)

    def _few(self, table: Table, since: datetime) -> Growth:
        new = func.count().filter(table.c.created_at >= since)
        with self._db.read() as connection:
            return Growth(*connection.execute(select(func.count(), new).select_from(table)).one())


def _stored_since(connection: Connection, since: datetime) -> int:
    stored = select(func.count()).select_from(traces).where(traces.c.created_at >= since)
    # as a plain column it would lead SQLite to the index of times, and from there to every trace of the time
    time = func.coalesce(traces.c.created_at, literal(since, traces.c.created_at.type))
    gone = select(func.count()).select_from(traces).where(traces.c.deleted_at.is_not(None), time >= since)
    return int(connection.execute(stored).scalar_one() - connection.execute(gone).scalar_one())
