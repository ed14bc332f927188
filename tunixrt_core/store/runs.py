"""Runs in the store. The run's folder holds the rest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from tunixrt_core.errors import Conflict, NotFound
from tunixrt_core.runs.record import DatasetRef, Run, RunStatus
from tunixrt_core.store.query import Page, check_limit, decode_cursor, encode_cursor
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.tables import runs

_OVER = [status.value for status in RunStatus if status.over]
_CHANGEABLE = frozenset({"name", "status", "message", "directory", "manifest", "started_at", "ended_at"})


class RunStore:
    """The runs of one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, run: Run) -> None:
        """Keep a new run. Raises Conflict where its id or its request id is taken."""
        values = {
            "id": run.id,
            "name": run.name,
            "status": run.status.value,
            "manifest": run.manifest,
            "directory": run.directory,
            "dataset_name": run.dataset.name if run.dataset else None,
            "dataset_version": run.dataset.version if run.dataset else None,
            "dataset_hash": run.dataset.content_hash if run.dataset else None,
            "message": run.message,
            "request_id": run.request_id,
            "created_at": run.created_at,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
        }
        try:
            with self._db.write() as connection:
                connection.execute(insert(runs).values(values))
        except IntegrityError:
            raise Conflict(f"A run {run.id}, or one with the same request id, is there already.") from None

    def get(self, run_id: str) -> Run:
        """Raises NotFound."""
        with self._db.read() as connection:
            return _run(_find(connection, run_id))

    def by_request(self, request_id: str) -> Run | None:
        """The run that an earlier start with the same request id made, if any."""
        with self._db.read() as connection:
            row = connection.execute(select(runs).where(runs.c.request_id == request_id)).first()
        return None if row is None else _run(row)

    def unfinished(self) -> list[Run]:
        """Runs that are not over, oldest first: at start, what a dead process left behind."""
        with self._db.read() as connection:
            found = connection.execute(select(runs).where(runs.c.status.not_in(_OVER)).order_by(runs.c.seq))
            return [_run(row) for row in found]

    def mirror(self, run_id: str, **changes: Any) -> None:
        """Take over what the run's folder says. No transition is checked: the folder's writer has done so."""
        if unknown := sorted(changes.keys() - _CHANGEABLE):
            raise TypeError(f"{unknown[0]} is not a field of a run that can change")
        with self._db.write() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(changes))

    def index(self) -> dict[str, str]:
        """Every run's id and folder."""
        with self._db.read() as connection:
            return {row.id: row.directory for row in connection.execute(select(runs.c.id, runs.c.directory))}

    def named(self, run_ids: Iterable[str]) -> tuple[Run, ...]:
        """The runs of these ids that there are, in no order."""
        with self._db.read() as connection:
            return tuple(_run(row) for row in connection.execute(select(runs).where(runs.c.id.in_(set(run_ids)))))

    def ended(self, run_ids: Iterable[str]) -> dict[str, tuple[str, datetime]]:
        """Folder and end of those of these runs that are over, without their manifests."""
        wanted = select(runs.c.id, runs.c.directory, runs.c.ended_at).where(
            runs.c.id.in_(set(run_ids)), runs.c.status.in_(_OVER), runs.c.ended_at.is_not(None)
        )
        with self._db.read() as connection:
            return {row.id: (row.directory, row.ended_at) for row in connection.execute(wanted)}

    def with_status(self, statuses: Iterable[RunStatus], limit: int) -> tuple[Run, ...]:
        """The newest runs of these statuses, newest first."""
        wanted = select(runs).where(runs.c.status.in_([status.value for status in statuses]))
        with self._db.read() as connection:
            return tuple(_run(row) for row in connection.execute(wanted.order_by(runs.c.seq.desc()).limit(limit)))

    def list(self, limit: int = 50, after: str | None = None) -> Page[Run]:
        """Runs, newest first. `after` is the `next` of the page before. Raises InvalidQuery."""
        wanted = select(runs).order_by(runs.c.seq.desc()).limit(check_limit(limit) + 1)
        if after is not None:
            wanted = wanted.where(runs.c.seq < decode_cursor(after))
        with self._db.read() as connection:
            rows = connection.execute(wanted).all()
        more = encode_cursor(rows[limit - 1].seq) if len(rows) > limit else None
        return Page(tuple(_run(row) for row in rows[:limit]), more)


def _find(connection: Connection, run_id: str) -> Row[Any]:
    row = connection.execute(select(runs).where(runs.c.id == run_id)).first()
    if row is None:
        raise NotFound("run", run_id)
    return row


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        name=row.name,
        status=RunStatus(row.status),
        manifest=row.manifest,
        directory=row.directory,
        created_at=row.created_at,
        dataset=DatasetRef(row.dataset_name, row.dataset_version, row.dataset_hash) if row.dataset_name else None,
        started_at=row.started_at,
        ended_at=row.ended_at,
        message=row.message,
        request_id=row.request_id,
    )
