"""Evaluations in the store. Predictions are in the evaluation's folder."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from tunixrt_core.errors import NotFound
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.tables import evals

_DONE = RunStatus.SUCCEEDED.value
_CHANGEABLE = frozenset({"status", "message", "metrics", "directory", "ended_at"})


class EvalStore:
    """The evaluations of one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, record: EvalRecord) -> None:
        """Keep an evaluation in place of the one with the same id, if any."""
        with self._db.write() as connection:
            connection.execute(delete(evals).where(evals.c.id == record.id))
            connection.execute(insert(evals).values(_values(record)))

    def get(self, eval_id: str) -> EvalRecord:
        """Raises NotFound."""
        with self._db.read() as connection:
            return _record(_find(connection, eval_id))

    def unfinished(self) -> list[EvalRecord]:
        """Evaluations that are not over: at start, what a dead process left behind."""
        return [record for record in self.list() if not record.status.over]

    def mirror(self, eval_id: str, **changes: Any) -> None:
        """Write down what the folder of an evaluation says. Raises NotFound."""
        if unknown := sorted(changes.keys() - _CHANGEABLE):
            raise TypeError(f"{unknown[0]} is not a field of an evaluation that can change")
        with self._db.write() as connection:
            row = _find(connection, eval_id)
            connection.execute(update(evals).where(evals.c.seq == row.seq).values(changes))

    def best(self, metric: str) -> EvalRecord | None:
        """The finished evaluation of a tuned model with the highest value of a metric, at equal values the newer."""
        found = select(evals.c.metrics, evals.c.id).where(evals.c.target == "tuned", evals.c.status == _DONE)
        with self._db.read() as connection:
            rows = connection.execute(found.order_by(evals.c.seq.desc()))
            valued = [(metrics[metric], name) for metrics, name in rows if metrics.get(metric) is not None]
            best = max(valued, key=lambda pair: pair[0], default=None)
            return None if best is None else _record(_find(connection, best[1]))

    def list(self, run_id: str | None = None, *, limit: int | None = None) -> list[EvalRecord]:
        """All evaluations, of one run where given, newest first."""
        wanted = select(evals).order_by(evals.c.seq.desc()).limit(limit)
        if run_id is not None:
            wanted = wanted.where(evals.c.run_id == run_id)
        with self._db.read() as connection:
            return [_record(row) for row in connection.execute(wanted)]


def _find(connection: Connection, eval_id: str) -> Row[Any]:
    row = connection.execute(select(evals).where(evals.c.id == eval_id)).first()
    if row is None:
        raise NotFound("evaluation", eval_id)
    return row


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


def _record(row: Row[Any]) -> EvalRecord:
    return EvalRecord(
        id=row.id,
        run_id=row.run_id,
        target=row.target,
        status=RunStatus(row.status),
        directory=row.directory,
        created_at=row.created_at,
        metrics=row.metrics,
        ended_at=row.ended_at,
        message=row.message,
        train_step=row.train_step,
        setup=row.setup,
    )
