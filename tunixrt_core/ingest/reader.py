"""Read traces from a file or stream: one Trace or RowError for each row, streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tunixrt_core.errors import InvalidTrace, UnreadableFile
from tunixrt_core.ingest.detect import Format, detect_format, format_named
from tunixrt_core.ingest.document import is_document, read_document
from tunixrt_core.ingest.lines import Source
from tunixrt_core.ingest.parse import BadRow, parse_row
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces import Trace

MAX_LINE_BYTES = 8 << 20  # a trace of 1 MiB, with room for escapes and for keys that are left out
MAX_DOCUMENT_BYTES = 64 << 20  # a JSON array is held in memory; a file of lines is not
_DETECT_ROWS = 20
_DETECT_BYTES = 16 << 20


class _Row(NamedTuple):
    line: int
    size: int
    value: dict[str, Any] | BadRow


class TraceReader:
    """Iterate once over the rows of a source. `format` is the name of the format that was given or detected.

    Iteration raises UnreadableFile where the source breaks off (a truncated gzip file).
    """

    def __init__(self, name: str, format: str, rows: Iterator[_Row], source_label: str | None) -> None:
        self.name = name
        self.format = format
        self._form: Format = format_named(format)
        self._rows = rows
        self._source_label = source_label

    def __iter__(self) -> Iterator[Trace | RowError]:
        for row in self._rows:
            yield self._read(row)

    def _read(self, row: _Row) -> Trace | RowError:
        if isinstance(row.value, BadRow):
            return RowError(self.name, row.line, row.value.field, row.value.reason)
        try:
            return self._form.to_trace(row.value, self._source_label)
        except InvalidTrace as error:
            return RowError(self.name, row.line, error.field, error.reason)


def read_traces(
    source: Path | BinaryIO,
    *,
    name: str,
    format: str = "auto",
    source_label: str | None = None,
    max_line_bytes: int = MAX_LINE_BYTES,
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> TraceReader:
    """Open JSONL, or a JSON array of at most 64 MiB, plain or gzip, and find out its format from its first rows.

    `name` stands in messages. `source_label` becomes the `source` of traces whose row names none. A path is closed
    when the rows are used up; a stream stays the caller's. Raises UnreadableFile for what is missing, empty, binary
    or of no known format; a row that is no trace is a RowError among the others.
    """
    if format != "auto":
        format_named(format)
    rows = _parsed(_opened(source, name), max_line_bytes, max_document_bytes)
    first: list[_Row] = []
    if format == "auto":
        format, first = _detect(name, rows)
    return TraceReader(name, format, _chained(first, rows), source_label)


def _opened(source: Path | BinaryIO, name: str) -> Source:
    if not isinstance(source, Path):
        return Source(source, name)
    try:
        stream = source.open("rb")
    except FileNotFoundError:
        raise UnreadableFile(f"{name} is not there. Check the path; it is looked up on the server.") from None
    except IsADirectoryError:
        raise UnreadableFile(f"{name} is a directory. Name one file in it.") from None
    except OSError as error:
        raise UnreadableFile(f"{name} cannot be read: {error.strerror or error}.") from None
    try:
        return Source(stream, name, owned=True)
    except UnreadableFile:
        stream.close()
        raise


def _parsed(source: Source, max_line_bytes: int, max_document_bytes: int) -> Iterator[_Row]:
    try:
        if is_document(source.head):
            for number, data in read_document(source, max_document_bytes):
                yield _Row(number, len(data), parse_row(data))
            return
        for line in source.lines(max_line_bytes):
            if line.data is None:
                reason = f"line is {line.size:,} bytes long; at most {max_line_bytes:,} are read"
                yield _Row(line.number, 0, BadRow("", reason))
            elif line.data.strip():
                yield _Row(line.number, line.size, parse_row(line.data))
    finally:
        source.close()


def _detect(name: str, rows: Iterator[_Row]) -> tuple[str, list[_Row]]:
    first: list[_Row] = []
    objects: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        first.append(row)
        size += row.size
        value = row.value.row if isinstance(row.value, BadRow) else row.value
        if value is not None:
            objects.append(value)
        if len(objects) >= _DETECT_ROWS or len(first) >= 50 * _DETECT_ROWS or size >= _DETECT_BYTES:
            break
    if not objects:
        raise UnreadableFile(f"{name}: {_why_nothing(first)}")
    try:
        return detect_format(objects), first
    except UnreadableFile as error:
        raise UnreadableFile(f"{name}: {error}") from None


def _why_nothing(first: list[_Row]) -> str:
    for row in first:
        if isinstance(row.value, BadRow):
            return (
                f"no row could be read as a JSON object. Line {row.line}: {row.value.reason}. "
                "Each line must hold one JSON object."
            )
    return "it is empty."


def _chained(first: Iterable[_Row], rest: Iterator[_Row]) -> Iterator[_Row]:
    yield from first
    yield from rest
