"""Read traces from a file or stream: what each row gives, traces or errors, streamed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from tunixrt_core.errors import InvalidTrace, UnreadableFile
from tunixrt_core.ingest.fast import FAST, FastReader
from tunixrt_core.ingest.files.csv_file import is_csv, read_csv
from tunixrt_core.ingest.files.document import is_document, read_document
from tunixrt_core.ingest.files.json_lines import JsonLines
from tunixrt_core.ingest.files.lines import Source, Spill
from tunixrt_core.ingest.files.parquet_file import read_parquet
from tunixrt_core.ingest.files.parse import BadRow
from tunixrt_core.ingest.files.rejects import Container, Rejects
from tunixrt_core.ingest.files.rows import RawRow, parsed
from tunixrt_core.ingest.formats.detect import Detected, Format, detect_format, format_named
from tunixrt_core.ingest.formats.fields import Options
from tunixrt_core.ingest.formats.mapping import ColumnMapping
from tunixrt_core.ingest.literals import with_text_answers
from tunixrt_core.ingest.reasoning.lookalikes import mark_unread
from tunixrt_core.ingest.reasoning.steps import AUTO, Rule
from tunixrt_core.ingest.report import Read, RowError, Warnings, unit_of
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

MAX_LINE_BYTES = 8 << 20  # a trace of 1 MiB, with room for escapes and for keys that are left out
MAX_DOCUMENT_BYTES = 64 << 20  # a JSON array is held in memory; a file of lines is not
DETECT_ROWS = 20
_UNREAD = (
    "stands in the answer, looks like a mark of the reasoning and was read as text. Name your own pair of marks with "
    "--think-tags OPEN CLOSE."
)
_DETECT_BYTES = 16 << 20


class TraceReader:
    """Iterate once over what the rows of a source give. `format` is the name that was given or `detected`; `warnings`
    fill while the rows are read.

    `first` are the rows that were read already to find out the format, before `rows`. `container` is the kind of file;
    the attribute `rows` counts the rows that were read. Iteration raises UnreadableFile where the source breaks off (a
    truncated gzip file).
    """

    def __init__(
        self,
        source: Source,
        container: Container,
        form: Format,
        rows: Iterator[RawRow],
        options: Options,
        first: Sequence[RawRow] = (),
        detected: Detected | None = None,
        rejects: Rejects | None = None,
    ) -> None:
        self.name = source.name
        self.format = form.NAME
        self.form = form
        self.container = container
        self.detected = detected
        self.rows = 0
        self.warnings = Warnings()
        self._source = source
        self._first = first
        self._rows = rows
        self._options = options
        self._rejects = rejects
        self._fast = FAST.get(form.NAME) if container == "jsonl" else None
        self._splits = form.NAME not in FAST  # those of our own formats were split before

    @property
    def bytes_read(self) -> int:
        """Bytes of the source read so far."""
        return self._source.bytes_read

    def __iter__(self) -> Iterator[Read]:
        if self._fast is not None and isinstance(self._rows, JsonLines):
            return self._quickly(self._fast, self._rows)
        return chain.from_iterable(found for _, found in self.by_row())

    def by_row(self) -> Iterator[tuple[RawRow, Iterable[Read]]]:
        """Each row with what it gives."""
        fast, label = self._fast, self._options.source
        for row in chain(self._first, self._rows):
            self.rows += 1
            trace = fast(row.data or b"", label) if fast and row.value is None else None
            yield self._read(row) if trace is None else (row, (trace,))

    def _quickly(self, fast: FastReader, rows: JsonLines) -> Iterator[Read]:
        """What `by_row` gives, a block of lines at a time: what is done for each line beside `fast` counts."""
        for row in self._first:
            yield from self._counted(row)
        label = self._options.source
        for block in rows.blocks():
            if isinstance(block, RawRow):
                yield from self._counted(block)
                continue
            for number, data in block:
                if (trace := fast(data, label)) is not None:
                    self.rows += 1
                    yield trace
                elif data and not data.isspace():
                    yield from self._counted(RawRow(number, data, None))

    def _counted(self, row: RawRow) -> list[Read]:
        self.rows += 1
        return self._read(row)[1]

    def _read(self, row: RawRow) -> tuple[RawRow, list[Read]]:
        row = parsed(row)
        object, unit = row.object, unit_of(self.container)
        value = row.value if object is None else with_text_answers(row, self.form.columns(object)).value
        assert value is not None, "a row that was parsed has a value"
        found: list[Read]
        if isinstance(value, BadRow):
            found = [RowError(self.name, row.line, value.field, value.reason, unit)]
        else:
            try:
                items = self.form.read(value, self._options)
            except InvalidTrace as fault:
                items = [fault]
            found = [
                RowError(self.name, row.line, item.field, item.reason, unit) if isinstance(item, InvalidTrace) else item
                for item in items
            ]
        if self._splits:
            self._warn(row.line, found)
        if self._rejects is not None and any(isinstance(item, RowError) for item in found):
            self._rejects.add(row)
        return row, found

    def _warn(self, line: int, found: Sequence[Read]) -> None:
        for item in found:
            trace = item.trace if isinstance(item, ScoredTrace) else item
            if isinstance(trace, Trace) and (mark := mark_unread(trace)):
                self.warnings.add(f"{mark} {_UNREAD}", line)


def read_traces(
    source: Path | BinaryIO,
    *,
    name: str,
    format: str = "auto",
    source_label: str | None = None,
    rule: Rule = AUTO,
    mapping: ColumnMapping | None = None,
    rejects: Rejects | None = None,
    max_line_bytes: int = MAX_LINE_BYTES,
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> TraceReader:
    """Open JSONL, CSV, Parquet, or a JSON array of at most 64 MiB, plain or gzip, and find out its format.

    `name` stands in messages, and its ending helps to tell CSV. `source_label` becomes the `source` of traces whose
    row names none, `rule` divides reasoning into steps, `mapping` takes the place of a format, `rejects` are given the
    rows that gave an error. A path is closed when the rows are used up; a stream stays the caller's. Raises
    UnreadableFile for what is missing, empty, binary or of no known format; a row that is no trace is a RowError among
    the others.
    """
    if format != "auto":
        format_named(format)
    opened, container, rows = raw_rows(
        source, name, rejects=rejects, max_line_bytes=max_line_bytes, max_document_bytes=max_document_bytes
    )
    form, detected = mapping or (None if format == "auto" else format_named(format)), None
    first: list[RawRow] = []
    if form is None:
        detected, first = _detect(name, rows, container)
        form = format_named(detected.format)
    return TraceReader(opened, container, form, rows, Options(source_label, rule), first, detected, rejects)


def raw_rows(
    source: Path | BinaryIO,
    name: str,
    *,
    rejects: Rejects | None = None,
    max_line_bytes: int = MAX_LINE_BYTES,
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> tuple[Source, Container, Iterator[RawRow]]:
    """The rows of a file before any format is known, what kind of file it is, and `rejects` made ready for it.

    Raises UnreadableFile, here and while the rows are read.
    """
    opened = _opened(source, name)
    container, rows = _rows(opened, max_line_bytes, max_document_bytes, rejects.spill if rejects else None)
    header = next(rows).bytes if container == "csv" else b""
    if rejects:
        rejects.begin(container, header)
    return opened, container, rows


def size_of(source: Path | BinaryIO) -> int | None:
    """Bytes of a file or of a stream that can tell; None for a pipe."""
    try:
        if isinstance(source, Path):
            return source.stat().st_size
        at = source.tell()
        size = source.seek(0, os.SEEK_END)
        source.seek(at)
        return size - at
    except (OSError, AttributeError, ValueError):
        return None


def _opened(source: Path | BinaryIO, name: str) -> Source:
    if not isinstance(source, Path):
        return Source(source, name)
    try:
        stream = source.open("rb")
    except FileNotFoundError:
        raise UnreadableFile(f"{name} does not exist. Check the path.") from None
    except IsADirectoryError:
        raise UnreadableFile(f"{name} is a directory. Name one file in it.") from None
    except OSError as error:
        raise UnreadableFile(f"{name} cannot be read: {error.strerror or error}.") from None
    try:
        return Source(stream, name, owned=True)
    except UnreadableFile:
        stream.close()
        raise


def _rows(
    source: Source, max_line_bytes: int, max_document_bytes: int, spill: Spill | None
) -> tuple[Container, Iterator[RawRow]]:
    """What kind of file it is, and its rows."""
    if source.is_parquet:
        return "parquet", _closing(source, read_parquet(source))
    if is_csv(source):
        return "csv", _closing(source, read_csv(source, max_line_bytes, spill))
    if is_document(source.head):
        return "json", _closing(source, read_document(source, max_document_bytes))
    return "jsonl", JsonLines(source, max_line_bytes, spill)


def _closing(source: Source, rows: Iterator[RawRow]) -> Iterator[RawRow]:
    try:
        yield from rows
    finally:
        source.close()


def _detect(name: str, rows: Iterator[RawRow], container: Container) -> tuple[Detected, list[RawRow]]:
    first: list[RawRow] = []
    objects = []
    size = 0
    for row in map(parsed, rows):
        first.append(row)
        size += len(row.data or b"")
        if (value := row.object) is not None:
            objects.append(value)
        if len(objects) >= DETECT_ROWS or len(first) >= 50 * DETECT_ROWS or size >= _DETECT_BYTES:
            break
    if not objects:
        raise UnreadableFile(f"{name}: {_why_nothing(first, container)}")
    try:
        return detect_format(objects), first
    except UnreadableFile as error:
        raise UnreadableFile(f"{name}: {error}") from None


def _why_nothing(first: list[RawRow], container: Container) -> str:
    for row in first:
        if isinstance(row.value, BadRow):
            if container in ("csv", "parquet"):
                return f"no row could be read. {unit_of(container).capitalize()} {row.line}: {row.value.reason}."
            return (
                f"no row could be read as a JSON object. Line {row.line}: {row.value.reason}. "
                "Each line must hold one JSON object."
            )
    return "it is empty."
