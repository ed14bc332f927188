"""Lines as a Parquet file, one row group at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from tunixrt_core.traces.rows import json_text

Columns = tuple[tuple[str, str], ...]  # each with the kind of its values, which are named in formats.py

_GROUP_ROWS = 500
_GROUP_BYTES = 4 << 20


def parquet(lines: Iterable[bytes], columns: Columns) -> Iterator[bytes]:
    """The file in blocks. Memory: one row group, of at most 500 rows or about 4 MiB."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, _type(pa, kind)) for name, kind in columns])
    sink = _Sink()
    # the least and the greatest text of each row group would help nobody, and pyarrow keeps them all until the end;
    # a dictionary of texts that are all different takes memory and time, and makes the file larger
    how = {"compression": "zstd", "write_statistics": False, "use_dictionary": False}
    with pq.ParquetWriter(sink, schema, **how) as writer:
        for group in _groups(_fitted(line, columns) for line in lines):
            writer.write_table(_table(group, schema))
            yield sink.take()
    yield sink.take()


def _table(lines: bytearray, schema: Any) -> Any:
    """The rows of a group as one table.

    By pyarrow's own reader of JSON, not from Python's values: to look at those, pyarrow imports pandas where it is
    installed, 50 MiB that nothing here needs.
    """
    import pyarrow as pa
    import pyarrow.json as pj

    how = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    whole = pj.ReadOptions(use_threads=False, block_size=len(lines) + 1)  # one block, so one chunk a column
    return pj.read_json(pa.BufferReader(pa.py_buffer(lines)), read_options=whole, parse_options=how)


def _type(pa: Any, kind: str) -> Any:
    turn = [("role", pa.string()), ("content", pa.string())]
    thought = [*turn, ("reasoning_content", pa.string())]
    function = pa.struct([("name", pa.string()), ("arguments", pa.string())])
    call = pa.struct([("id", pa.string()), ("type", pa.string()), ("function", function)])
    called = [("tool_calls", pa.list_(call)), ("tool_call_id", pa.string()), ("name", pa.string())]
    return {
        "text": pa.string(),
        "json": pa.string(),
        "export_metadata": pa.string(),
        "texts": pa.list_(pa.string()),
        "bools": pa.list_(pa.bool_()),
        "turns": pa.list_(pa.struct(turn)),
        "thinking": pa.list_(pa.struct(thought)),
        "calls": pa.list_(pa.struct([*thought, *called, ("train", pa.bool_())])),
        "steps": pa.list_(pa.struct([("content", pa.string()), ("i", pa.int64()), ("type", pa.string())])),
    }[kind]


def _fitted(line: bytes, columns: Columns) -> bytes:
    """The row with one type for what JSON lets differ from row to row."""
    row = orjson.loads(line)
    for name, kind in columns:
        if kind == "export_metadata":
            row[name] = json_text(row[name])
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _groups(lines: Iterable[bytes]) -> Iterator[bytearray]:
    """The lines of each row group, run together: kept one by one, orjson's bytes hold twice their length."""
    group, rows = bytearray(), 0
    for line in lines:
        group += line
        rows += 1
        if rows >= _GROUP_ROWS or len(group) >= _GROUP_BYTES:
            yield group
            group, rows = bytearray(), 0
    if rows:
        yield group


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
