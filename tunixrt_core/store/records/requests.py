"""Request ids in the store: claim, request and result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.reading import StoredRow, json_object, moment

if TYPE_CHECKING:
    from tunixrt_core.store.traces.traces import Clock

KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Claim:
    """One request id in use. `asked` is the hash of the request; `answer` is None until the request is answered."""

    id: str
    kind: str
    asked: str
    owner: str  # owners.this_owner() of the process that answers it
    answer: Mapping[str, Any] | None = None
    created_at: datetime | None = None


class RequestStore:
    """The request ids of one database. An id that was not used for 30 days is forgotten."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    def claim(self, claim: Claim) -> bool:
        """Take a request id; False where it is taken. The database sees to it that one caller only gets it."""
        from sqlalchemy import delete, insert
        from sqlalchemy.exc import IntegrityError

        from tunixrt_core.store.sql.tables import requests

        now = self._clock()
        values = {"id": claim.id, "kind": claim.kind, "asked": claim.asked, "process": claim.owner}
        try:
            with self._db.write() as connection:
                connection.execute(delete(requests).where(requests.c.created_at < now - KEPT))
                connection.execute(insert(requests).values(**values, created_at=now))
        except IntegrityError:
            return False
        return True

    def take_over(self, seen: Claim, owner: str) -> bool:
        """Take a request id whose owner is gone; False where somebody else has done so since it was looked at."""
        from sqlalchemy import update

        from tunixrt_core.store.sql.tables import requests

        unchanged = (requests.c.id == seen.id) & (requests.c.created_at == seen.created_at)
        with self._db.write() as connection:
            taken = connection.execute(
                update(requests).where(unchanged).values(process=owner, answer=None, created_at=self._clock())
            )
        return bool(taken.rowcount)

    def answer(self, request_id: str, answer: Mapping[str, Any]) -> None:
        """Keep the answer to a request."""
        from sqlalchemy import update

        from tunixrt_core.store.sql.tables import requests

        with self._db.write() as connection:
            connection.execute(update(requests).where(requests.c.id == request_id).values(answer=answer))

    def forget(self, request_id: str) -> None:
        """Give a request id back, so that it can be used again."""
        from sqlalchemy import delete

        from tunixrt_core.store.sql.tables import requests

        with self._db.write() as connection:
            connection.execute(delete(requests).where(requests.c.id == request_id))

    def get(self, request_id: str) -> Claim | None:
        with self._db.reading() as reader:
            rows = reader.rows("SELECT * FROM requests WHERE id = :id", id=request_id)
        return _claim(rows[0]) if rows else None


def _claim(row: StoredRow) -> Claim:
    answer = None if row["answer"] is None else json_object(row["answer"])
    return Claim(row["id"], row["kind"], row["asked"], row["process"], answer, moment(row["created_at"]))
