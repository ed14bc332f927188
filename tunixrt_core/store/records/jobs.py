"""The queue that several servers of one home share, in the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, literal_column, or_, select, update

from tunixrt_core.store.records.taken import TakenJob
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.tables import jobs
from tunixrt_core.util import owners

_LOOKED_AT = 50  # rows of one look for a job


class JobStore:
    """The shared queue of one database. Each call is a short transaction that waits for no import of this process."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @property
    def look_seconds(self) -> float:
        """Seconds between two looks of a server."""
        return owners.BEAT_SECONDS

    def add(self, job_id: str, home: str, spec: str) -> None:
        """Let a job wait. One of the same id, which is over by now, is replaced."""
        with self._db.apart() as connection:
            connection.execute(delete(jobs).where(jobs.c.id == job_id))
            connection.execute(insert(jobs).values(id=job_id, home=home, spec=spec, queued_at=self._now(connection)))

    def claim(self, job_id: str, owner: str, spec: str) -> bool:
        """Own a job that waits to do this; False where it does not any more, such as when another server was first."""
        mine = (jobs.c.id == job_id) & (jobs.c.spec == spec) & or_(jobs.c.owner.is_(None), jobs.c.owner == owner)
        with self._db.apart() as connection:
            values = {"owner": owner, "beat": self._now(connection)}
            return bool(connection.execute(update(jobs).where(mine).values(**values)).rowcount)

    def take(self, home: str, owner: str, *, but: Collection[str] = ()) -> TakenJob | None:
        """Own the first job of a home that waits, or whose owner is dead, `but` for these; None without one.

        A dead process of this machine is known at once, one of another machine a minute after its last sign of life.
        A row that another server looks at meanwhile is left to it.
        """
        others = (jobs.c.home == home) & or_(jobs.c.owner.is_(None), jobs.c.owner != owner) & jobs.c.id.not_in(but)
        query = select(jobs).where(others).order_by(jobs.c.queued_at).limit(_LOOKED_AT)
        with self._db.apart() as connection:
            now = self._now(connection)
            for row in connection.execute(query.with_for_update(skip_locked=True)).mappings().all():
                if row["owner"] is not None and owners.alive(row["owner"], row["beat"], now):
                    continue
                losses = row["losses"] + (row["owner"] is not None)
                values = {"owner": owner, "beat": now, "losses": losses}
                connection.execute(update(jobs).where(jobs.c.id == row["id"]).values(**values))
                return TakenJob(row["id"], row["spec"], losses, row["owner"])
        return None

    def give_back(self, taken: TakenJob) -> None:
        """Leave a job as it was before it was taken: to the owner that it had, with a new sign of life, or waiting."""
        with self._db.apart() as connection:
            losses = taken.losses - (taken.lost is not None)
            values = {"owner": taken.lost, "beat": self._now(connection), "losses": losses}
            connection.execute(update(jobs).where(jobs.c.id == taken.id).values(**values))

    def let_wait(self, job_id: str, owner: str, spec: str) -> None:
        """Let a job that this owner has taken wait again, to do this."""
        with self._db.apart() as connection:
            mine = (jobs.c.id == job_id) & (jobs.c.owner == owner)
            connection.execute(update(jobs).where(mine).values(spec=spec, owner=None))

    def arrange(self, ids: Sequence[str]) -> None:
        """Put jobs that wait into this order; each has the place of one of them."""
        query = select(jobs.c.id, jobs.c.queued_at).where(jobs.c.id.in_(ids), jobs.c.owner.is_(None))
        with self._db.apart() as connection:
            places = {row.id: row.queued_at for row in connection.execute(query)}
            found = [job_id for job_id in ids if job_id in places]
            for job_id, place in zip(found, sorted(places.values()), strict=True):
                connection.execute(update(jobs).where(jobs.c.id == job_id).values(queued_at=place))

    def beat(self, owner: str) -> None:
        """A sign of life of who owns jobs."""
        with self._db.apart() as connection:
            connection.execute(update(jobs).where(jobs.c.owner == owner).values(beat=self._now(connection)))

    def end(self, job_id: str, owner: str) -> None:
        """Forget a job that waits or that this owner has; one of another owner stays."""
        with self._db.apart() as connection:
            mine = or_(jobs.c.owner.is_(None), jobs.c.owner == owner)
            connection.execute(delete(jobs).where(jobs.c.id == job_id, mine))

    def waiting(self, home: str) -> dict[str, str]:
        """The jobs of a home that wait, by id, in their order: what each is to do."""
        query = select(jobs.c.id, jobs.c.spec).where(jobs.c.home == home, jobs.c.owner.is_(None))
        with self._db.apart() as connection:
            return {row.id: row.spec for row in connection.execute(query.order_by(jobs.c.queued_at))}

    def known(self, home: str) -> set[str]:
        """The ids of all jobs of a home."""
        with self._db.apart() as connection:
            return set(connection.execute(select(jobs.c.id).where(jobs.c.home == home)).scalars())

    @staticmethod
    def _now(connection: Connection) -> float:
        """Unix seconds of the database's clock, the one that all servers share."""
        if connection.dialect.name == "sqlite":
            clock: Any = (func.julianday("now") - 2440587.5) * 86400.0
        else:
            clock = func.extract("epoch", literal_column("clock_timestamp()"))
        return float(connection.execute(select(clock)).scalar_one())
