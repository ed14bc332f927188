"""Lookup of one trace by its hash or a prefix."""

from __future__ import annotations

from tunixrt_core.errors import InvalidQuery, NotFound
from tunixrt_core.store.sql.reading import Reader, StoredRow, moment

_REF_MIN = 8


def find(reader: Reader, ref: str) -> StoredRow:
    """The row of an existing trace, by its hash or the first digits. Raises NotFound, InvalidQuery."""
    start = ref.strip().lower()
    if len(start) < _REF_MIN or len(start) > 64 or not all(c in "0123456789abcdef" for c in start):
        raise NotFound("trace", ref[:80], f"A trace is known by its hash, or by the first {_REF_MIN} or more digits.")
    wanted = "SELECT * FROM traces WHERE hash >= :start AND hash < :end LIMIT 2"
    rows = reader.rows(wanted, start=start, end=start + "g")
    if not rows:
        raise NotFound("trace", ref)
    if len(rows) > 1:
        raise InvalidQuery(f"Several traces begin with {ref}; give more digits of the hash.")
    if rows[0]["body"] is None:
        raise NotFound("trace", ref, f"It was deleted on {moment(rows[0]['deleted_at']):%Y-%m-%d}.")
    return rows[0]
