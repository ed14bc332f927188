"""Rows of the first sheet of an Excel workbook."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Any, cast

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.containers.arrow_tables import table_row
from tunixrt_core.ingest.files.containers.csv_file import IsName, header_of
from tunixrt_core.ingest.files.lines import Source
from tunixrt_core.ingest.files.packed import check_proportion
from tunixrt_core.ingest.files.rows import RawRow

_CONTENT = "xl/workbook.xml"


def is_excel(archive: zipfile.ZipFile) -> bool:
    """Whether a zip file is an Excel workbook."""
    return _CONTENT in archive.namelist()


def read_excel(source: Source, archive: zipfile.ZipFile, is_name: IsName) -> Iterator[RawRow]:
    """The rows below the header, numbered as Excel numbers them. Formulas give the value that Excel kept of them.

    Raises UnreadableFile where the workbook is damaged, too large, or holds no rows.
    """
    from openpyxl import load_workbook  # takes a fifth of a second
    from openpyxl.utils.exceptions import InvalidFileException

    infos = archive.infolist()
    check_proportion(source.name, sum(info.file_size for info in infos), sum(info.compress_size for info in infos))
    try:
        book = load_workbook(cast(IO[bytes], archive.fp), read_only=True, data_only=True)
        filled = [sheet for sheet in book.worksheets if any(map(_is_filled, sheet.iter_rows(values_only=True)))]
        if not filled:
            raise UnreadableFile(f"{source.name} is empty: none of its sheets has a filled cell.")
        if len(filled) > 1:
            others = ", ".join(repr(sheet.title) for sheet in filled[1:])
            source.notes.append(f"Only the sheet {filled[0].title!r} is read, not {others}.")
        yield from _rows(source, filled[0].iter_rows(values_only=True), is_name)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, SyntaxError) as error:
        raise UnreadableFile(
            f"{source.name} is an Excel file that is damaged or cannot be read ({error}). Save it again, or as CSV."
        ) from None


def _rows(source: Source, cells: Iterator[tuple[Any, ...]], is_name: IsName) -> Iterator[RawRow]:
    names: Sequence[str] = ()
    for number, row in enumerate(cells, 1):
        if not _is_filled(row):
            continue
        if not names:
            width = max(i for i, cell in enumerate(row, 1) if cell is not None)
            header = ["" if cell is None else str(cell) for cell in row[:width]]
            names, is_row = header_of(source, header, is_name)
            if not is_row:
                continue
        values = {name: cell for name, cell in zip(names, row, strict=False) if cell is not None}
        yield table_row(number, values)


def _is_filled(row: tuple[Any, ...]) -> bool:
    return any(cell is not None and cell != "" for cell in row)
