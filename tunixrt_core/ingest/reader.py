"""Traces or errors from a file or stream, one per row."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TypedDict, Unpack

from tunixrt_core.errors import InvalidTrace, UnreadableFile
from tunixrt_core.ingest.columns.arranging import Arranger, fields_of, finished
from tunixrt_core.ingest.columns.left_out import left_out
from tunixrt_core.ingest.columns.names import usual_name
from tunixrt_core.ingest.columns.plans import Arranged
from tunixrt_core.ingest.fast import FAST, FastReader
from tunixrt_core.ingest.files import members
from tunixrt_core.ingest.files.arrow_tables import read_arrow, read_parquet
from tunixrt_core.ingest.files.csv_file import is_csv, read_csv
from tunixrt_core.ingest.files.document import is_document, read_document
from tunixrt_core.ingest.files.excel_file import is_excel, read_excel
from tunixrt_core.ingest.files.json_lines import JsonLines
from tunixrt_core.ingest.files.lines import Source, Spill
from tunixrt_core.ingest.files.parse import BadRow
from tunixrt_core.ingest.files.rejects import Container, Rejects
from tunixrt_core.ingest.files.rows import RawRow, parsed
from tunixrt_core.ingest.files.wrapped import Unwrapping, begins_with_rows
from tunixrt_core.ingest.formats.detect import FORMATS, Detected, Format, detect_format, format_named
from tunixrt_core.ingest.formats.fields import Item, Options
from tunixrt_core.ingest.formats.mapping import ColumnMapping
from tunixrt_core.ingest.formats.verdicts import has_verdict, judged
from tunixrt_core.ingest.literals import with_text_answers
from tunixrt_core.ingest.many import FilesReader
from tunixrt_core.ingest.reasoning.lookalikes import mark_unread
from tunixrt_core.ingest.reasoning.steps import AUTO, Rule
from tunixrt_core.ingest.report import Read, RowError, Warnings, unit_of
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

MAX_LINE_BYTES = 8 << 20  # a trace of 1 MiB, with room for escapes and for keys that are left out
MAX_DOCUMENT_BYTES = 64 << 20  # a JSON array is held in memory; a file of lines is not
DETECT_ROWS = 20
_UNREAD = (
    "is in the answer, looks like a mark of the reasoning and was read as text. Name your own pair of marks with "
    "--think-tags OPEN CLOSE."
)
_DETECT_BYTES = 16 << 20
_NOT_ONE_FILE = {
    "xls": "is a file of the old Excel, or of another program of its time. Save it as .xlsx or CSV.",
    "tar": "is a tar file. Unpack it and name one file of it.",
    "zip": "is a zip file. Unpack it and name one file of it.",
}


class TraceReader:
    """Iterate once over what the rows of a source give. `format` is the name that was given or `detected`; `warnings`
    fill while the rows are read, and `notes` say how the file is read where that is not plain.

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
        arranger: Arranger | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.name = source.name
        self.notes = [*source.notes, *notes]
        self.warnings = Warnings()
        self._arranger = arranger or Arranger()
        self.format = form.NAME
        self.form = form
        self.container = container
        self.detected = detected
        self.rows = 0
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
            yield self._read(row) if trace is None or has_verdict(trace) else (row, (trace,))

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
                if (trace := fast(data, label)) is not None and not (trace.meta and has_verdict(trace)):
                    self.rows += 1
                    yield trace
                elif data and not data.isspace():
                    yield from self._counted(RawRow(number, data, None))

    def _counted(self, row: RawRow) -> list[Read]:
        self.rows += 1
        return self._read(row)[1]

    def columns_of(self, row: dict[str, Any]) -> Mapping[str, str]:
        """The fields that the columns of a row become, by their names in the file. Columns not listed go to `meta`."""
        return self._fields(row, self._arranged(row))

    def _arranged(self, row: dict[str, Any]) -> Arranged | InvalidTrace | None:
        try:
            return self._arranger.arranged(row, self.form)
        except InvalidTrace as fault:
            return fault

    def _fields(self, row: dict[str, Any], arranged: Arranged | InvalidTrace | None) -> Mapping[str, str]:
        if isinstance(arranged, Arranged):
            return fields_of(arranged, self.form.columns(arranged.row))
        return self.form.columns(row)

    def _read(self, row: RawRow) -> tuple[RawRow, list[Read]]:
        row = parsed(row)
        object, unit = row.object, unit_of(self.container)
        value, arranged = row.value, None
        if object is not None:
            arranged = self._arranged(object)
            if not all(held.__class__ is str for held in object.values()):  # of texts there is nothing to be made text
                value = with_text_answers(row, self._fields(object, arranged)).value
            if value is not object and isinstance(value, dict):
                arranged = self._arranged(value)
        assert value is not None, "a row that was parsed has a value"
        found: list[Read]
        if isinstance(value, BadRow):
            found = [RowError(self.name, row.line, value.field, value.reason, unit)]
        else:
            found = [
                RowError(self.name, row.line, item.field, _reason(item, row), unit)
                if isinstance(item, InvalidTrace)
                else item
                for item in self._items(value, arranged)
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

    def _items(self, value: dict[str, Any], arranged: Arranged | InvalidTrace | None) -> list[Item]:
        if isinstance(arranged, InvalidTrace):
            return [arranged]
        try:
            items = self.form.read(value if arranged is None else arranged.row, self._options)
        except InvalidTrace as fault:
            items = [fault]
        # a pair names the hash of its other side, so the traces must be final
        return judged(items if arranged is None else finished(arranged, items), self.form.NAME)


def _reason(fault: InvalidTrace, row: RawRow) -> str:
    """The reason, with the size of the row in the file where its trace is too large."""
    if fault.field == "trace" and row.data is not None:
        return f"{fault.reason}. The row has {len(row.data):,} bytes in the file"
    return fault.reason


AnyReader = TraceReader | FilesReader


class _Rules(TypedDict, total=False):
    format: str
    source_label: str | None
    rule: Rule
    mapping: ColumnMapping | None
    rejects: Rejects | None
    field: str | None
    encoding: str | None
    max_line_bytes: int
    max_document_bytes: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What is said about the files of an import, as `read_traces` takes it."""

    format: str = "auto"
    source_label: str | None = None
    rule: Rule = AUTO
    mapping: ColumnMapping | None = None
    rejects: Rejects | None = None
    field: str | None = None
    encoding: str | None = None
    max_line_bytes: int = MAX_LINE_BYTES
    max_document_bytes: int = MAX_DOCUMENT_BYTES


def read_traces(source: Path | BinaryIO | Sequence[Path], *, name: str, **rules: Unpack[_Rules]) -> AnyReader:
    """Open a file, several files, a directory, or a zip or tar archive, and detect the format.

    Files are JSONL, CSV, Parquet, Arrow, Feather, Excel, or one JSON document of at most 64 MiB, packed or not. `name`
    is shown in messages, and its ending helps to recognise CSV. `source_label` becomes the `source` of traces whose row
    has none, `rule` divides reasoning into steps, `mapping` replaces a format, `rejects` receives the rows with errors,
    `field` is the key of a document under which its rows are, `encoding` that of text. A path is closed at the end of
    its rows; a stream is left open. Raises UnreadableFile for a file that is missing, empty, binary or of no known
    format; a row that is no trace is yielded as a RowError.
    """
    told = Rules(**rules)
    if told.format != "auto":
        format_named(told.format)
    if isinstance(source, Sequence):
        return _several(name, members.of_paths(source), told) if len(source) != 1 else _read_path(source[0], name, told)
    return _read_path(source, name, told)


def _read_path(source: Path | BinaryIO, name: str, rules: Rules) -> AnyReader:
    if isinstance(source, Path) and _is_directory(source):
        return _several(name, members.in_directory(source), rules)
    opened = _opened(source, name, rules.encoding)
    if opened.binary == "tar":
        return _several(name, members.in_tar(opened), rules)
    archive = _zip_of(opened)
    if archive is not None and not is_excel(archive):
        return _several(name, members.in_zip(opened, archive), rules)
    return _read_one(opened, name, archive, rules)


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # opening it says what is wrong


def _several(name: str, found: members.Members, rules: Rules) -> FilesReader:
    if rules.rejects is not None:
        rules.rejects.begin_several()
    return FilesReader(name, found, lambda source, member: _read_path(source, member, rules))


def _read_one(opened: Source, name: str, archive: zipfile.ZipFile | None, rules: Rules) -> TraceReader:
    container, rows = _begun(opened, archive, rules.rejects, rules.max_line_bytes, rules.max_document_bytes)
    form = rules.mapping or (None if rules.format == "auto" else format_named(rules.format))
    arranger = Arranger()
    first, container, rows, notes = _opened_rows(name, rows, container, form, arranger, rules.field)
    objects = [found for row in first if (found := row.object) is not None]
    detected = None
    missed = []
    if rules.mapping is not None:
        missed = rules.mapping.check([arranger.read_as(row, rules.mapping) for row in objects], name, len(first))
    if form is None:
        detected = _detect(name, first, objects, arranger, container)
        form = format_named(detected.format)
    options = Options(rules.source_label, rules.rule)
    reader = TraceReader(opened, container, form, rows, options, first, detected, rules.rejects, arranger, notes)
    for text in missed:
        reader.warnings.add(text, 1)
    for text, times, line in left_out([(r.line, o, reader.columns_of(o)) for r in first if (o := r.object)]):
        reader.warnings.add(text, line, times)
    return reader


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
    container, rows = _begun(opened, _zip_of(opened), rejects, max_line_bytes, max_document_bytes)
    return opened, container, rows


def _begun(
    opened: Source,
    archive: zipfile.ZipFile | None,
    rejects: Rejects | None,
    max_line_bytes: int,
    max_document_bytes: int,
) -> tuple[Container, Iterator[RawRow]]:
    container, rows = _rows(opened, archive, max_line_bytes, max_document_bytes, rejects.spill if rejects else None)
    header = next(rows).bytes if container == "csv" else b""
    if rejects:
        rejects.begin(container, header)
    return container, rows


def _zip_of(opened: Source) -> zipfile.ZipFile | None:
    """The zip archive that the file is; None for any other. Raises UnreadableFile."""
    if opened.binary != "zip":
        return None
    try:
        return zipfile.ZipFile(opened.seekable())
    except (zipfile.BadZipFile, OSError) as error:
        raise UnreadableFile(
            f"{opened.name} is a zip file that is damaged or breaks off ({error}). Copy or download it again."
        ) from None


def size_of(source: Path | BinaryIO | Sequence[Path]) -> int | None:
    """Bytes of a file, a directory, several files or of a stream that can tell; None for a pipe."""
    try:
        if isinstance(source, Sequence):
            return sum(path.stat().st_size for path in source)
        if isinstance(source, Path):
            return source.stat().st_size if not source.is_dir() else None
        at = source.tell()
        size = source.seek(0, os.SEEK_END)
        source.seek(at)
        return size - at
    except (OSError, AttributeError, ValueError):
        return None


def _opened(source: Path | BinaryIO, name: str, encoding: str | None = None) -> Source:
    if not isinstance(source, Path):
        return Source(source, name, encoding=encoding)
    try:
        stream = source.open("rb")
    except FileNotFoundError:
        raise UnreadableFile(f"{name} does not exist. Check the path.") from None
    except IsADirectoryError:
        raise UnreadableFile(f"{name} is a directory. Name one file in it.") from None
    except OSError as error:
        raise UnreadableFile(f"{name} cannot be read: {error.strerror or error}.") from None
    try:
        return Source(stream, name, owned=True, encoding=encoding)
    except UnreadableFile:
        stream.close()
        raise


def _rows(
    source: Source, archive: zipfile.ZipFile | None, max_line_bytes: int, max_document_bytes: int, spill: Spill | None
) -> tuple[Container, Iterator[RawRow]]:
    """What kind of file it is, and its rows."""
    if source.binary == "parquet":
        return "parquet", _closing(source, read_parquet(source))
    if source.binary in ("arrow", "arrow_stream", "feather1"):
        return "arrow", _closing(source, read_arrow(source))
    if archive is not None and is_excel(archive):
        return "excel", _closing(source, read_excel(source, archive, _is_name))
    if source.binary is not None:
        raise UnreadableFile(f"{source.name} {_NOT_ONE_FILE[source.binary]}")
    if is_csv(source):
        return "csv", _closing(source, read_csv(source, max_line_bytes, spill, _is_name))
    if is_document(source.head) or (b"\n" not in source.head.strip() and begins_with_rows(source.head)):
        return "json", _closing(source, read_document(source, max_document_bytes))
    return "jsonl", JsonLines(source, max_line_bytes, spill)


def _is_name(column: str) -> bool:
    return usual_name(column) is not None


def _closing(source: Source, rows: Iterator[RawRow]) -> Iterator[RawRow]:
    try:
        yield from rows
    finally:
        source.close()


def _opened_rows(
    name: str,
    rows: Iterator[RawRow],
    container: Container,
    form: Format | None,
    arranger: Arranger,
    field: str | None,
) -> tuple[list[RawRow], Container, Iterator[RawRow], list[str]]:
    """The first rows, parsed, and those that follow; where an object holds the rows, those inside of it."""
    first, objects = _first_rows(rows)
    forms = [*([form] if form else []), *FORMATS.values()]
    unwrapping = Unwrapping(name, lambda row: any(one.matches(arranger.prepared(row)) for one in forms), field)
    if container not in ("json", "jsonl") or not objects or not unwrapping.applies(objects[0]):
        return first, container, rows, []
    is_one = len(first) == 1 and (container == "json" or (more := next(rows, None)) is None)
    if len(first) == 1 and not is_one and container == "jsonl" and more is not None:
        first.append(more)
    on_one_line = is_one and b"\n" not in (first[0].data or b"")
    inner = unwrapping.rows(chain(first, rows), is_one=is_one)
    first, _ = _first_rows(inner)
    return first, "json_rows" if on_one_line else container, inner, [f"Rows are read from {unwrapping.where}."]


def _first_rows(rows: Iterator[RawRow]) -> tuple[list[RawRow], list[dict[str, Any]]]:
    """Rows enough to know the format by, parsed, and those of them that are objects."""
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
    return first, objects


def _detect(
    name: str, first: list[RawRow], objects: list[dict[str, Any]], arranger: Arranger, container: Container
) -> Detected:
    if not objects:
        raise UnreadableFile(f"{name}: {_why_nothing(first, container)}")
    try:
        return detect_format([arranger.prepared(row) for row in objects])
    except UnreadableFile as error:
        raise UnreadableFile(f"{name}: {error}") from None


def _why_nothing(first: list[RawRow], container: Container) -> str:
    for row in first:
        if isinstance(row.value, BadRow):
            if container not in ("json", "jsonl"):
                return f"no row could be read. {unit_of(container).capitalize()} {row.line}: {row.value.reason}."
            return f"no row could be read as a JSON object. Line {row.line}: {row.value.reason}."
    return "it is empty."
