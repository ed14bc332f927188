"""Lines -> the bytes of a Parquet file, a row group at a time. Loads pyarrow, and only when asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

Columns = tuple[tuple[str, str], ...]  # each with the kind of its values, which are named in formats.py

_GROUP_ROWS = 1_000
_GROUP_BYTES = 8 << 20


def parquet(lines: Iterable[bytes], columns: Columns) -> Iterator[bytes]:
    """The file in blocks. Memory: one row group, of at most 1,000 rows or about 8 MiB."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, _type(pa, kind)) for name, kind in columns])
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for rows in _groups(lines):
            for row in rows:
                _fit(row, columns)
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            yield sink.take()
    yield sink.take()


def _type(pa: Any, kind: str) -> Any:
    turn = [("role", pa.string()), ("content", pa.string())]
    return {
        "text": pa.string(),
        "json": pa.string(),
        "texts": pa.list_(pa.string()),
        "bools": pa.list_(pa.bool_()),
        "turns": pa.list_(pa.struct(turn)),
        "thinking": pa.list_(pa.struct([*turn, ("reasoning_content", pa.string())])),
        "steps": pa.list_(pa.struct([("content", pa.string()), ("i", pa.int64()), ("type", pa.string())])),
    }[kind]


def _fit(row: dict[str, Any], columns: Columns) -> None:
    """Make one type of what JSON lets differ from row to row."""
    for name, kind in columns:
        if kind == "json" and name in row:
            row[name] = orjson.dumps(row[name]).decode()
        elif kind == "turns" and isinstance(row[name], str):
            row[name] = [{"role": "user" if name == "prompt" else "assistant", "content": row[name]}]


def _groups(lines: Iterable[bytes]) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    size = 0
    for line in lines:
        rows.append(orjson.loads(line))
        size += len(line)
        if len(rows) >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


class _Sink:
    """What pyarrow writes to: keeps what was written until it is taken."""

    def __init__(self) -> None:
        self.closed = False
        self._blocks: list[bytes] = []
        self._written = 0

    def write(self, data: Any) -> int:
        self._blocks.append(bytes(data))
        self._written += len(self._blocks[-1])
        return len(self._blocks[-1])

    def take(self) -> bytes:
        taken = b"".join(self._blocks)
        self._blocks.clear()
        return taken

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
