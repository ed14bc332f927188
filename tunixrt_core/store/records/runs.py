"""Runs in the store. The run's folder holds the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from tunixrt_core.errors import Conflict, NotFound
from tunixrt_core.runs.record import DatasetRef, ListedRun, Run, RunStatus
from tunixrt_core.store.query import NEWEST, Page, check_limit, decode_cursor, encode_cursor
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.reading import Reader, StoredRow, among, json_list, json_object, moment, moment_or_none

_OVER = [status.value for status in RunStatus if status.over]
_ANNOTATIONS = frozenset({"tags", "note", "archived"})
_CHANGEABLE = _ANNOTATIONS | {"name", "status", "message", "directory", "manifest", "started_at", "ended_at"}
_LISTED = (
    "id, name, status, directory, dataset_name, dataset_version, tags, note, archived, figures, created_at, "
    "started_at, revision"
)


class RunStore:
    """The runs of one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, run: Run) -> None:
        """Keep a new run. Raises Conflict where its id or its request id is taken."""
        from sqlalchemy import insert
        from sqlalchemy.exc import IntegrityError

        from tunixrt_core.runs.figures import settings_of
        from tunixrt_core.store.sql.tables import runs

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
            "tags": run.tags,
            "note": run.note,
            "archived": run.archived,
            "figures": settings_of(run.manifest),
        }
        try:
            with self._db.write() as connection:
                connection.execute(insert(runs).values({**values, "revision": _next_revision()}))
        except IntegrityError:
            raise Conflict(f"A run {run.id}, or one with the same request id, already exists.") from None

    def get(self, run_id: str) -> Run:
        """Raises NotFound."""
        with self._db.reading() as reader:
            return _run(_find(reader, run_id))

    def by_request(self, request_id: str) -> Run | None:
        """The run that an earlier start with the same request id made, if any."""
        with self._db.reading() as reader:
            rows = reader.rows("SELECT * FROM runs WHERE request_id = :id", id=request_id)
        return _run(rows[0]) if rows else None

    def names_file(self, path: Path) -> bool:
        """Whether the manifest of any run names this file, as an absolute path."""
        text = orjson.dumps(str(path.absolute())).decode()
        with self._db.reading() as reader:
            manifests = reader.rows("SELECT manifest FROM runs")
        return any(text in str(row["manifest"]) for row in manifests)

    def unfinished(self) -> list[Run]:
        """Runs that are not over, oldest first: at start, what a dead process left behind."""
        places, over = among(_OVER)
        with self._db.reading() as reader:
            rows = reader.rows(f"SELECT * FROM runs WHERE status NOT IN {places} ORDER BY seq", **over)
        return [_run(row) for row in rows]

    def mirror(self, run_id: str, **changes: Any) -> None:
        """Take over what the run's folder says. No transition is checked: the folder's writer has done so."""
        if unknown := sorted(changes.keys() - _CHANGEABLE):
            raise TypeError(f"{unknown[0]} is not a field of a run that can change")
        from sqlalchemy import update

        from tunixrt_core.store.sql.tables import runs

        with self._db.write() as connection:
            new = {**changes, "revision": _next_revision()}
            connection.execute(update(runs).where(runs.c.id == run_id).values(new))

    def keep_figures(self, figures: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep the figures of runs by their ids, in one transaction."""
        from sqlalchemy import update

        from tunixrt_core.store.sql.tables import runs

        with self._db.write() as connection:
            for run_id, values in figures.items():
                new = {"figures": values, "revision": _next_revision()}
                connection.execute(update(runs).where(runs.c.id == run_id).values(new))

    def remove(self, run_id: str) -> None:
        """Forget a run and its evaluations; their folders stay as they are."""
        from sqlalchemy import delete

        from tunixrt_core.store.sql.tables import evals, runs

        with self._db.write() as connection:
            connection.execute(delete(evals).where(evals.c.run_id == run_id))
            connection.execute(delete(runs).where(runs.c.id == run_id))

    def index(self) -> dict[str, str]:
        """Every run's id and folder."""
        with self._db.reading() as reader:
            return {row["id"]: row["directory"] for row in reader.rows("SELECT id, directory FROM runs")}

    def listed(self, after: int = -1) -> tuple[list[ListedRun], int]:
        """The runs that changed after a revision, oldest first, without manifests; and the number of all runs."""
        with self._db.reading() as reader:
            rows = reader.rows(f"SELECT {_LISTED} FROM runs WHERE revision > :after ORDER BY seq", after=after)
            count = reader.rows("SELECT count(*) AS runs FROM runs")[0]["runs"]
        return [_listed(row) for row in rows], count

    def named(self, run_ids: Iterable[str]) -> tuple[Run, ...]:
        """The runs of these ids that there are, in no order."""
        places, ids = among(set(run_ids))
        with self._db.reading() as reader:
            return tuple(map(_run, reader.rows(f"SELECT * FROM runs WHERE id IN {places}", **ids)))

    def ended(self, run_ids: Iterable[str]) -> dict[str, tuple[str, datetime]]:
        """Folder and end of those of these runs that are over, without their manifests."""
        places, ids = among(set(run_ids))
        with self._db.reading() as reader:
            rows = reader.rows(
                f"SELECT id, directory, status, ended_at FROM runs WHERE id IN {places} AND ended_at IS NOT NULL", **ids
            )
        return {row["id"]: (row["directory"], moment(row["ended_at"])) for row in rows if row["status"] in _OVER}

    def with_status(self, statuses: Iterable[RunStatus], limit: int) -> tuple[Run, ...]:
        """The newest runs of these statuses, newest first."""
        places, wanted = among(status.value for status in statuses)
        with self._db.reading() as reader:
            rows = reader.rows(
                f"SELECT * FROM runs WHERE status IN {places} ORDER BY seq DESC LIMIT :most", **wanted, most=limit
            )
        return tuple(map(_run, rows))

    def by_status(self) -> dict[str, int]:
        """How many runs have each status that one has."""
        with self._db.reading() as reader:
            rows = reader.rows("SELECT status, count(*) AS runs FROM runs GROUP BY status")
        return {row["status"]: row["runs"] for row in rows}

    def list(self, limit: int = 50, after: str | None = None) -> Page[Run]:
        """Runs, newest first. `after` is the `next` of the page before. Raises InvalidQuery."""
        below, most = NEWEST if after is None else decode_cursor(after), check_limit(limit) + 1
        with self._db.reading() as reader:
            rows = reader.rows(
                "SELECT * FROM runs WHERE seq < :below ORDER BY seq DESC LIMIT :most", below=below, most=most
            )
        more = encode_cursor(rows[limit - 1]["seq"]) if len(rows) > limit else None
        return Page(tuple(_run(row) for row in rows[:limit]), more)


def _find(reader: Reader, run_id: str) -> StoredRow:
    rows = reader.rows("SELECT * FROM runs WHERE id = :id", id=run_id)
    if not rows:
        raise NotFound("run", run_id)
    return rows[0]


def _run(row: StoredRow) -> Run:
    name = row["dataset_name"]
    return Run(
        id=row["id"],
        name=row["name"],
        status=RunStatus(row["status"]),
        manifest=json_object(row["manifest"]),
        directory=row["directory"],
        created_at=moment(row["created_at"]),
        dataset=DatasetRef(name, row["dataset_version"], row["dataset_hash"]) if name else None,
        started_at=moment_or_none(row["started_at"]),
        ended_at=moment_or_none(row["ended_at"]),
        message=row["message"],
        request_id=row["request_id"],
        tags=tuple(json_list(row["tags"])),
        note=row["note"],
        archived=bool(row["archived"]),
    )


def _listed(row: StoredRow) -> ListedRun:
    name = row["dataset_name"]
    return ListedRun(
        id=row["id"],
        name=row["name"],
        status=RunStatus(row["status"]),
        directory=row["directory"],
        dataset=f"{name}:{row['dataset_version']}" if name else "",
        tags=tuple(json_list(row["tags"])) if row["tags"] != "[]" else (),
        note=row["note"],
        archived=bool(row["archived"]),
        figures=json_object(row["figures"]),
        created_at=moment(row["created_at"]).timestamp(),
        started_at=None if row["started_at"] is None else moment(row["started_at"]).timestamp(),
        revision=row["revision"],
    )


def _next_revision() -> Any:
    """One more than the revision of the last change; a writer has the database for itself."""
    from sqlalchemy import func, select

    from tunixrt_core.store.sql.tables import runs

    return select(func.coalesce(func.max(runs.c.revision), 0) + 1).scalar_subquery()
