"""Listed traces: one by its hash, or the newest ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from tunixrt_core.store.query import NEWEST, Page, StoredTrace, check_limit, decode_cursor, encode_cursor
from tunixrt_core.store.sql.reading import Reader, StoredRow, moment
from tunixrt_core.store.traces.lookup import find
from tunixrt_core.store.traces.said import said_about
from tunixrt_core.traces.trace import Trace


class Shown(NamedTuple):
    """What a listing reads of a trace."""

    id: int
    hash: str
    body: str
    created_at: datetime


def one_trace(reader: Reader, ref: str) -> StoredTrace:
    """Raises NotFound, InvalidQuery."""
    return stored(reader, [_shown(find(reader, ref))])[0]


def cursor_at(reader: Reader, ref: str) -> str:
    """The cursor of the page that begins with a trace. Raises NotFound, InvalidQuery."""
    return encode_cursor(find(reader, ref)["id"] + 1)


def newest_traces(reader: Reader, after: str | None, limit: int) -> Page[StoredTrace]:
    """A page of all traces. Raises InvalidQuery."""
    below, most = NEWEST if after is None else decode_cursor(after), check_limit(limit) + 1
    wanted = (
        "SELECT id, hash, body, created_at FROM traces WHERE deleted_at IS NULL AND id < :below "
        "ORDER BY id DESC LIMIT :most"
    )
    return page_of(reader, [_shown(row) for row in reader.rows(wanted, below=below, most=most)], limit)


def page_of(reader: Reader, rows: Sequence[Shown], limit: int) -> Page[StoredTrace]:
    """The page of `limit` rows; one more row says that there is another page."""
    more = encode_cursor(rows[limit - 1].id) if len(rows) > limit else None
    return Page(tuple(stored(reader, rows[:limit])), more)


def tally(reader: Reader, kind: str, value: str = "") -> int:
    """How many traces there are of a kind, as it is kept."""
    wanted = "SELECT coalesce(sum(traces), 0) AS number FROM trace_tallies WHERE kind = :kind AND value = :value"
    return int(reader.rows(wanted, kind=kind, value=value)[0]["number"])


def stored(reader: Reader, rows: Sequence[Shown]) -> list[StoredTrace]:
    """The traces of rows, with what was said about them."""
    said = said_about(reader, [row.id for row in rows])
    return [
        StoredTrace(row.hash, Trace.from_canonical(row.body.encode()), row.created_at, *said[row.id]) for row in rows
    ]


def _shown(row: StoredRow) -> Shown:
    return Shown(row["id"], row["hash"], row["body"], moment(row["created_at"]))
