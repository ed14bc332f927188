"""Opening of one file: its kind and its rows, before any format is known."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.containers.arrow_tables import read_arrow, read_parquet
from tunixrt_core.ingest.files.containers.csv_file import IsName, is_csv, read_csv
from tunixrt_core.ingest.files.containers.document import is_document, read_document
from tunixrt_core.ingest.files.containers.excel_file import is_excel, read_excel
from tunixrt_core.ingest.files.containers.json_lines import JsonLines
from tunixrt_core.ingest.files.containers.wrapped import begins_with_rows
from tunixrt_core.ingest.files.lines import Source, Spill
from tunixrt_core.ingest.files.packed import FAULTS
from tunixrt_core.ingest.files.rejects import Container, Rejects
from tunixrt_core.ingest.files.rows import RawRow
from tunixrt_core.util.files.disks import require_answer

MAX_LINE_BYTES = 8 << 20  # a trace of 1 MiB, with room for escapes and for keys that are left out
MAX_DOCUMENT_BYTES = 64 << 20  # a JSON array is held in memory; a file of lines is not
_NOT_ONE_FILE = {
    "xls": "is a file of the old Excel (.xls), or of another program of its time. Save it as .xlsx or CSV with Excel "
    "or LibreOffice, or run `libreoffice --headless --convert-to xlsx FILE`.",
    "tar": "is a tar file. Unpack it and name one file of it.",
    "zip": "is a zip file. Unpack it and name one file of it.",
}

_MOST_OF_A_KIND = 256  # bytes
# the first file of an OpenDocument says what it is
_OFFICE = {
    b"application/vnd.oasis.opendocument.spreadsheet": "is an OpenDocument spreadsheet (.ods). Save it as .xlsx or CSV "
    "with LibreOffice or Excel, or run `libreoffice --headless --convert-to xlsx FILE`.",
    b"application/vnd.oasis.opendocument.text": "is an OpenDocument text (.odt). Write its rows as JSONL or CSV.",
}


def raw_rows(
    source: Path | BinaryIO,
    name: str,
    is_name: IsName,
    *,
    rejects: Rejects | None = None,
    max_line_bytes: int = MAX_LINE_BYTES,
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> tuple[Source, Container, Iterator[RawRow]]:
    """The open file, its kind, and its rows before any format is known. `rejects` gets the header of a table.

    `is_name` tells whether a cell of the first row is the usual name of a column. Raises UnreadableFile, here and
    while the rows are read.
    """
    opened = open_source(source, name)
    container, rows = begin_rows(opened, zip_of(opened), is_name, rejects, max_line_bytes, max_document_bytes)
    return opened, container, rows


def begin_rows(
    opened: Source,
    archive: zipfile.ZipFile | None,
    is_name: IsName,
    rejects: Rejects | None,
    max_line_bytes: int,
    max_document_bytes: int,
) -> tuple[Container, Iterator[RawRow]]:
    """The kind of an open file and its rows; `rejects` gets the header of a table. Raises UnreadableFile."""
    spill = rejects.spill if rejects else None
    container, rows = _rows(opened, archive, is_name, max_line_bytes, max_document_bytes, spill)
    header = next(rows).bytes if container == "csv" else b""
    if rejects:
        rejects.begin(container, header)
    return container, rows


def zip_of(opened: Source) -> zipfile.ZipFile | None:
    """The zip archive that the file is; None for any other. Raises UnreadableFile."""
    if opened.binary != "zip":
        return None
    try:
        archive = zipfile.ZipFile(opened.seekable())
        kind = _OFFICE.get(_mimetype(archive))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, *FAULTS) as error:
        raise UnreadableFile(
            f"{opened.name} is a zip file that is damaged or breaks off ({error}). Copy or download it again."
        ) from None
    if kind is not None:
        raise UnreadableFile(f"{opened.name} {kind}")
    return archive


def _mimetype(archive: zipfile.ZipFile) -> bytes:
    """What the first file says that the archive is, if it is called so; no more of it than a kind takes is unpacked."""
    if archive.namelist()[:1] != ["mimetype"]:
        return b""
    with archive.open("mimetype") as file:
        return file.read(_MOST_OF_A_KIND).strip()


def size_of(source: Path | BinaryIO | Sequence[Path]) -> int | None:
    """Bytes of a file, a directory, several files or of a stream that can tell; None for a pipe.

    Raises UnreadableFile for a path in a network folder that is stuck.
    """
    for path in source if isinstance(source, Sequence) else [source]:
        if isinstance(path, Path):
            require_answer(path)
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


def open_source(source: Path | BinaryIO, name: str, encoding: str | None = None) -> Source:
    """The open file or stream. Raises UnreadableFile."""
    if not isinstance(source, Path):
        return Source(source, name, encoding=encoding)
    require_answer(source)
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
    source: Source,
    archive: zipfile.ZipFile | None,
    is_name: IsName,
    max_line_bytes: int,
    max_document_bytes: int,
    spill: Spill | None,
) -> tuple[Container, Iterator[RawRow]]:
    if source.binary == "parquet":
        return "parquet", _closing(source, read_parquet(source))
    if source.binary in ("arrow", "arrow_stream", "feather1"):
        return "arrow", _closing(source, read_arrow(source))
    if archive is not None and is_excel(archive):
        return "excel", _closing(source, read_excel(source, archive, is_name))
    if source.binary is not None:
        raise UnreadableFile(f"{source.name} {_NOT_ONE_FILE[source.binary]}")
    if is_csv(source):
        return "csv", _closing(source, read_csv(source, max_line_bytes, spill, is_name))
    if is_document(source.head) or (b"\n" not in source.head.strip() and begins_with_rows(source.head)):
        return "json", _closing(source, read_document(source, max_document_bytes))
    return "jsonl", JsonLines(source, max_line_bytes, spill)


def _closing(source: Source, rows: Iterator[RawRow]) -> Iterator[RawRow]:
    try:
        yield from rows
    finally:
        source.close()
