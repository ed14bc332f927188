"""Parquet, Arrow and Feather rows, batch by batch."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.lines import Source
from tunixrt_core.ingest.files.parse import BadRow
from tunixrt_core.ingest.files.rows import RawRow

_BATCH_ROWS = 256  # real rows are 20 to 50 KB


def read_parquet(source: Source) -> Iterator[RawRow]:
    """The rows, numbered from 1. Raises UnreadableFile where the file is damaged.

    Dates and times become ISO 8601 text, decimals and UUIDs their digits, bytes the UTF-8 text they hold; bytes that
    are no UTF-8 make the row a bad one. Nanoseconds are kept, as Arrow writes them.
    """
    import pyarrow as pa  # takes a tenth of a second, and most files are JSON
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source.seekable(), pre_buffer=False)
        yield from _rows_of(file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False), pa)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(source, "a Parquet", error) from None


def read_arrow(source: Source) -> Iterator[RawRow]:
    """The rows of an Arrow file, an Arrow stream (what `datasets` saves) or a Feather file, as `read_parquet` has them.

    Raises UnreadableFile where it is damaged.
    """
    import pyarrow as pa
    import pyarrow.feather

    try:
        yield from _rows_of(_batches(source, pa), pa)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(source, "an Arrow", error) from None


def _batches(source: Source, pa: Any) -> Iterator[Any]:
    stream = source.seekable()
    if source.binary == "arrow":
        reader = pa.ipc.open_file(stream)
        yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
    elif source.binary == "arrow_stream":
        yield from pa.ipc.open_stream(stream)
    else:
        yield from pa.feather.read_table(stream, memory_map=False).to_batches(_BATCH_ROWS)


def _rows_of(batches: Iterable[Any], pa: Any) -> Iterator[RawRow]:
    number = 0
    for batch in batches:
        for start in range(0, batch.num_rows, _BATCH_ROWS):  # Arrow may hold a whole table in one
            for row in _with_text_times(batch.slice(start, _BATCH_ROWS), pa).to_pylist():
                number += 1
                yield table_row(number, row)


def _damaged(source: Source, kind: str, error: Exception) -> UnreadableFile:
    return UnreadableFile(
        f"{source.name} is {kind} file that is damaged or cannot be read ({str(error).splitlines()[0]}). "
        "Copy or download it again."
    )


def _with_text_times(batch: Any, pa: Any) -> Any:
    """The batch with nanosecond columns as text: Python's own times end at microseconds."""
    for i, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            batch = batch.set_column(i, field.name, batch.column(i).cast(pa.string()))
    return batch


def table_row(number: int, row: dict[str, Any]) -> RawRow:
    """A row of Python values as JSON has them; a bad one where a value has no such form."""
    values: dict[str, Any] = {}
    for name, value in row.items():
        try:
            values[name] = _plain(value)
        except UnicodeDecodeError:
            return RawRow(
                number, None, BadRow(name, "holds bytes that are not UTF-8 text. Write the column as text", row)
            )
        except TypeError as error:
            return RawRow(
                number, None, BadRow(name, f"is a {error}, which has no JSON form. Write the column as text", row)
            )
    return RawRow(number, None, values)


def _plain(value: Any) -> Any:
    """The value as JSON has it. Raises UnicodeDecodeError, or TypeError with the type's name."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if value == value else None  # pandas writes NaN where there is nothing
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):  # an entry of a map
        return [_plain(item) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | uuid.UUID | datetime.timedelta):
        return str(value)
    raise TypeError(type(value).__name__)
