"""Readers of files, directories and archives in a detected or named format."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TypedDict, Unpack

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.columns.arranging import Arranger
from tunixrt_core.ingest.columns.left_out import left_out
from tunixrt_core.ingest.columns.names import is_usual_name
from tunixrt_core.ingest.files.containers import members
from tunixrt_core.ingest.files.containers.excel_file import is_excel
from tunixrt_core.ingest.files.containers.gathering import (
    as_conversations,
    as_one_conversation,
    as_spans,
    as_trees,
    is_event,
    is_list_of_messages,
)
from tunixrt_core.ingest.files.containers.wrapped import Unwrapping
from tunixrt_core.ingest.files.lines import Source
from tunixrt_core.ingest.files.opening import MAX_DOCUMENT_BYTES, MAX_LINE_BYTES, begin_rows, open_source, zip_of
from tunixrt_core.ingest.files.parse import BadRow
from tunixrt_core.ingest.files.rejects import Container, Rejects
from tunixrt_core.ingest.files.rows import RawRow, parsed
from tunixrt_core.ingest.formats.detect import FORMATS, Detected, Format, detect_format, format_named
from tunixrt_core.ingest.formats.fields import Options
from tunixrt_core.ingest.formats.mapping import ColumnMapping
from tunixrt_core.ingest.formats.oasst import is_node
from tunixrt_core.ingest.many import LONE_OBJECT, UNKNOWN_FORMAT, FilesReader
from tunixrt_core.ingest.reasoning.steps import AUTO, Rule
from tunixrt_core.ingest.reasoning.turn import role_of
from tunixrt_core.ingest.report import unit_of
from tunixrt_core.ingest.trace_reader import TraceReader
from tunixrt_core.traces.conversation import ROLES
from tunixrt_core.util.files.disks import require_answer

DETECT_ROWS = 20
_DETECT_BYTES = 16 << 20
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
    opened = open_source(source, name, rules.encoding)
    if opened.binary == "tar":
        return _several(name, members.in_tar(opened), rules)
    archive = zip_of(opened)
    if archive is not None and not is_excel(archive):
        return _several(name, members.in_zip(opened, archive), rules)
    return _read_one(opened, name, archive, rules)


def _is_directory(path: Path) -> bool:
    require_answer(path)
    try:
        return path.is_dir()
    except OSError:
        return False  # opening it says what is wrong


def _several(name: str, found: members.Members, rules: Rules) -> FilesReader:
    if rules.rejects is not None:
        rules.rejects.begin_several()
    return FilesReader(name, found, lambda source, member: _read_path(source, member, rules))


def _read_one(opened: Source, name: str, archive: zipfile.ZipFile | None, rules: Rules) -> TraceReader:
    container, rows = begin_rows(
        opened, archive, is_usual_name, rules.rejects, rules.max_line_bytes, rules.max_document_bytes
    )
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


def _opened_rows(
    name: str,
    rows: Iterator[RawRow],
    container: Container,
    form: Format | None,
    arranger: Arranger,
    field: str | None,
) -> tuple[list[RawRow], Container, Iterator[RawRow], list[str]]:
    """The first rows, parsed, and those that follow; where an object holds the rows, those inside of it."""
    first, rows, note = _gathered(*_first_rows(rows), rows, container)
    if note:
        return first, container, rows, [note]
    objects = [found for row in first if (found := row.object) is not None]
    forms = [*([form] if form else []), *FORMATS.values()]
    unwrapping = Unwrapping(name, lambda row: any(one.matches(arranger.prepared(row)) for one in forms), field)
    if container not in ("json", "jsonl") or not objects or not unwrapping.applies(objects[0]):
        return first, container, rows, []
    is_one = len(first) == 1 and (container == "json" or (more := next(rows, None)) is None)
    if len(first) == 1 and not is_one and container == "jsonl" and more is not None:
        first.append(more)
    on_one_line = is_one and b"\n" not in (first[0].data or b"")
    inner = unwrapping.rows(chain(first, rows), is_one=is_one)
    first, inner, note = _gathered(*_first_rows(inner), inner, container)
    notes = [f"Rows are read from {unwrapping.where}.", *([note] if note else [])]
    return first, "json_rows" if on_one_line else container, inner, notes


def _gathered(
    first: list[RawRow], objects: list[dict[str, Any]], rows: Iterator[RawRow], container: Container
) -> tuple[list[RawRow], Iterator[RawRow], str]:
    """The first rows and the others, put together where the file holds parts of rows; a note says so."""
    made, note = None, ""
    if not objects and any(is_list_of_messages(row, _is_message) for row in first):
        made, note = as_conversations(chain(first, rows), _is_message), "Each row is a list of messages."
    elif objects and all(map(is_node, objects)):
        made, note = as_trees(chain(first, rows), is_node), "Messages that follow one another are read as one tree."
    elif objects and any(map(is_event, objects)):
        made, note = as_spans(chain(first, rows)), "The messages of a span, logged one by one, are read as one row."
    elif container == "json" and len(objects) == len(first) > 1 and all(map(_is_message, objects)):
        made, note = as_one_conversation(chain(first, rows)), "The file is read as the messages of one conversation."
    if made is None:
        return first, rows, ""
    return _first_rows(made)[0], made, note


def _is_message(value: Any) -> bool:
    """Whether it is a message of a conversation; rows have other columns beside the role."""
    role = role_of(value)
    return role in ROLES and not {"messages", "prompt", "completion", "chosen"} & value.keys()


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
        is_json = container == "json" or (container == "jsonl" and name.lower().endswith(".json"))
        is_lone = is_json and len(objects) == len(first) == 1
        details = {UNKNOWN_FORMAT: True} | ({LONE_OBJECT: True} if is_lone else {})
        raise UnreadableFile(f"{name}: {error}", details=details) from None


def _why_nothing(first: list[RawRow], container: Container) -> str:
    for row in first:
        if isinstance(row.value, BadRow):
            if container not in ("json", "jsonl"):
                return f"no row could be read. {unit_of(container).capitalize()} {row.line}: {row.value.reason}."
            return f"no row could be read as a JSON object. Line {row.line}: {row.value.reason}."
    return "it is empty."
