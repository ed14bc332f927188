"""Find one trace by its hash, or by the beginning of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from tunixrt_core.errors import InvalidQuery, NotFound
from tunixrt_core.store.sql.tables import traces

_REF_MIN = 8


def find(connection: Connection, ref: str) -> Row[Any]:
    """The row of a trace that is there, by its hash or the first digits. Raises NotFound, InvalidQuery."""
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
