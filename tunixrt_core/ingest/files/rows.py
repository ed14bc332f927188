"""One row of a file: position, bytes and result."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from tunixrt_core.ingest.files.parse import BadRow, parse_row


class RawRow(NamedTuple):
    """`line` counts from 1: a line of text, a row of Parquet. `data` is None where the bytes are not kept.

    `value` is None as long as the bytes are not parsed.
    """

    line: int
    data: bytes | None
    value: dict[str, Any] | BadRow | None

    @property
    def object(self) -> dict[str, Any] | None:
        """What could be made of the row, for finding out its format."""
        return self.value.row if isinstance(self.value, BadRow) else self.value

    @property
    def bytes(self) -> bytes:
        """The row as it can be written down again: its own bytes, else as JSON, as near as JSON comes to it."""
        return orjson.dumps(self.object, default=repr) if self.data is None else self.data


def parsed(row: RawRow) -> RawRow:
    """The row with its value."""
    return row if row.value is not None else row._replace(value=parse_row(row.data or b""))
