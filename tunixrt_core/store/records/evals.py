"""Evaluations in the store. Predictions are in the evaluation's folder."""

from __future__ import annotations

from typing import Any

from tunixrt_core.errors import NotFound
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.store.query import NEWEST
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.reading import Reader, StoredRow, json_object, moment, moment_or_none

_DONE = RunStatus.SUCCEEDED.value
_CHANGEABLE = frozenset({"status", "message", "metrics", "directory", "ended_at"})


class EvalStore:
    """The evaluations of one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, record: EvalRecord) -> None:
        """Keep an evaluation in place of the one with the same id, if any."""
        from sqlalchemy import delete, insert

        from tunixrt_core.store.sql.tables import evals

        with self._db.write() as connection:
            connection.execute(delete(evals).where(evals.c.id == record.id))
            connection.execute(insert(evals).values(_values(record)))

    def get(self, eval_id: str) -> EvalRecord:
        """Raises NotFound."""
        with self._db.reading() as reader:
            return _record(_find(reader, eval_id))

    def unfinished(self) -> list[EvalRecord]:
        """Evaluations that are not over: at start, what a dead process left behind."""
        return [record for record in self.list() if not record.status.over]

    def mirror(self, eval_id: str, **changes: Any) -> None:
        """Write down what the folder of an evaluation says. Raises NotFound."""
        if unknown := sorted(changes.keys() - _CHANGEABLE):
            raise TypeError(f"{unknown[0]} is not a field of an evaluation that can change")
        from sqlalchemy import update

        from tunixrt_core.store.sql.tables import evals

        with self._db.write() as connection:
            if not connection.execute(update(evals).where(evals.c.id == eval_id).values(changes)).rowcount:
                raise NotFound("evaluation", eval_id)

    def best(self, metric: str) -> EvalRecord | None:
        """The finished evaluation of a tuned model with the highest value of a metric, at equal values the newer."""
        found = "SELECT metrics, id FROM evals WHERE target = 'tuned' AND status = :done ORDER BY seq DESC"
        with self._db.reading() as reader:
            rows = [(json_object(row["metrics"]), row["id"]) for row in reader.rows(found, done=_DONE)]
            valued = [(metrics[metric], name) for metrics, name in rows if metrics.get(metric) is not None]
            best = max(valued, key=lambda pair: pair[0], default=None)
            return None if best is None else _record(_find(reader, best[1]))

    def revision(self) -> tuple[object, ...]:
        """What differs after any evaluation has ended, was added or was replaced."""
        asked = "SELECT count(*) AS evals, max(seq) AS newest, max(ended_at) AS ended FROM evals"
        with self._db.reading() as reader:
            return tuple(reader.rows(asked)[0].values())

    def exact_matches(self) -> dict[str, dict[str, float]]:
        """The exact match of each run by target, base and tuned, each of its newest finished evaluation."""
        wanted = "SELECT run_id, target, metrics, setup FROM evals WHERE status = :done ORDER BY seq"
        found: dict[str, dict[str, float]] = {}
        with self._db.reading() as reader:
            for row in reader.rows(wanted, done=_DONE):
                # the base with its own prompt was not asked for the format
                if row["target"] == "base" and json_object(row["setup"]).get("prompt") == "own":
                    continue
                value = json_object(row["metrics"]).get("exact_match")
                if value is not None:
                    found.setdefault(row["run_id"], {})[row["target"]] = value
        return found

    def list(self, run_id: str | None = None, *, limit: int | None = None) -> list[EvalRecord]:
        """All evaluations, of one run where given, newest first."""
        only = "" if run_id is None else "WHERE run_id = :run "
        values: dict[str, object] = {} if run_id is None else {"run": run_id}
        wanted = f"SELECT * FROM evals {only}ORDER BY seq DESC LIMIT :most"
        with self._db.reading() as reader:
            return [_record(row) for row in reader.rows(wanted, most=NEWEST if limit is None else limit, **values)]


def _find(reader: Reader, eval_id: str) -> StoredRow:
    rows = reader.rows("SELECT * FROM evals WHERE id = :id", id=eval_id)
    if not rows:
        raise NotFound("evaluation", eval_id)
    return rows[0]


def _values(record: EvalRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "run_id": record.run_id,
        "target": record.target,
        "status": record.status.value,
        "directory": record.directory,
        "metrics": record.metrics,
        "train_step": record.train_step,
        "setup": record.setup,
        "message": record.message,
        "created_at": record.created_at,
        "ended_at": record.ended_at,
    }


def _record(row: StoredRow) -> EvalRecord:
    return EvalRecord(
        id=row["id"],
        run_id=row["run_id"],
        target=row["target"],
        status=RunStatus(row["status"]),
        directory=row["directory"],
        created_at=moment(row["created_at"]),
        metrics=json_object(row["metrics"]),
        ended_at=moment_or_none(row["ended_at"]),
        message=row["message"],
        train_step=row["train_step"],
        setup=json_object(row["setup"]),
    )
