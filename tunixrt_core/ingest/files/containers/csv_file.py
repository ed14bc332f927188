"""CSV with a header: cells as text, rows with line numbers."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.encodings import encoding_hint
from tunixrt_core.ingest.files.lines import Line, Source, Spill
from tunixrt_core.ingest.files.parse import BadRow
from tunixrt_core.ingest.files.rows import RawRow

IsName = Callable[[str], bool]
_DELIMITERS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
# the columns of a file without a header, by their number
_USUAL = {2: ["question", "answer"], 3: ["question", "reasoning", "answer"]}
_LONG_NAME = 60  # characters; what is longer is a value
_SUFFIXES = (".csv", ".tsv")
_SHOWN = {"\t": "a tab"} | {mark: f"`{mark}`" for mark in ",;|"}
_NUMBER = re.compile(r"[-+$€£]?\d[\d.,]*%?")
_UNCLOSED = (
    "opens a quote that is not closed before the next row, or holds one inside an unquoted cell. Put the cell in "
    "quotes, and double each quote inside of it"
)


def is_csv(source: Source) -> bool:
    """Whether the text is no JSON and looks like cells: by its name, or by a delimiter in its first line."""
    lines = [line for line in source.head.split(b"\n")[:20] if line.strip()]
    if not lines or lines[0].lstrip().startswith((b"{", b"[")):
        return False
    if source.name.lower().removesuffix(".gz").endswith(_SUFFIXES):
        return True
    if any(line.lstrip().startswith(b"{") for line in lines) or _is_json_text(lines[0]):
        return False
    return any(delimiter.encode() in lines[0] for delimiter in _DELIMITERS)


def read_csv(
    source: Source, max_bytes: int, spill: Spill | None = None, is_name: IsName = str.isidentifier
) -> Iterator[RawRow]:
    """One row per record. The header is yielded as line 0, so that it can be written above rejected rows.

    A first line `sep=;`, which Excel writes, names the delimiter. Columns without a name are `column_1` and so on; so
    are all of them where the first line reads like a row, of which no cell `is_name` of a column; two and three columns
    are then a question and its answer, with the reasoning between them. A first column without a name that counts the
    rows is left out. Raises UnreadableFile where the header cannot be used.
    """
    csv.field_size_limit(1 << 30)  # for the whole process, which reads CSV nowhere else; lines are bounded above
    records = _Records(source, max_bytes, spill)
    number, header = next(iter(records))
    if header is None:
        raise UnreadableFile(f"{source.name}: the header in line {number} cannot be read as CSV.")
    text = header.decode("utf-8", "replace")
    told = _SEPARATOR_LINE.fullmatch(text.strip())
    if told is not None:
        number, header = next(iter(records), (number, None))
        text = (header or b"").decode("utf-8", "replace")
    delimiter = told[1] if told is not None else _delimiter(text)
    names = _cells(text, delimiter) or []
    first: list[tuple[int, bytes | None]] = []
    index = bool(names) and not names[0].strip()
    names, is_row = header_of(source, names, is_name)
    if is_row:
        first, header = [(number, header)], b""
    yield RawRow(0, header, None)
    records.expect(len(names), delimiter)
    counted = 0
    for number, record in chain(first, records):
        row = _row(number, record, names, delimiter, max_bytes)
        if index and isinstance(row.value, dict) and str(row.value.get(names[0], "")).isdecimal():
            counted += 1
            del row.value[names[0]]
        yield row
        if counted == 1:
            source.notes.append("The first column has no name and holds row numbers: it is left out.")
            counted += 1


def header_of(source: Source, cells: Sequence[str], is_name: IsName) -> tuple[list[str], bool]:
    """The names of the columns by the cells of the first row, and whether that is a row itself.

    Raises UnreadableFile where they cannot be used.
    """
    if not _is_row(cells, is_name):
        return _names(source.name, cells), False
    names = _names(source.name, _USUAL.get(len(cells), [""] * len(cells)))
    source.notes.append(f"The file has no header: its columns are taken as {', '.join(names)}, in this order.")
    return names, True


def _is_json_text(line: bytes) -> bool:
    """Whether the line is a JSON text that holds JSON."""
    text = line.strip()
    return text.startswith(b'"{') and text.endswith(b'}"') and b'\\"' in text


def _is_row(cells: Sequence[str], is_name: IsName) -> bool:
    """Whether what should be a header reads like a row: none of it is a known name, and something is a value."""
    names = [cell.strip() for cell in cells]
    if len(names) < 2 or any(map(is_name, names)) or names == [str(i) for i in range(len(names))]:
        return False
    return any(_is_value(name) for name in names)


def _is_value(cell: str) -> bool:
    return (
        len(cell) > _LONG_NAME
        or "\n" in cell
        or cell.endswith(("?", ".", "!", "？", "。"))
        or (_NUMBER.fullmatch(cell) is not None)
    )


class _Records:
    """Lines joined to records: a record ends at the first line end outside quotes.

    Where such a record has another number of cells than the header, only its first line is rejected, and the next line
    begins a new record.
    """

    def __init__(self, source: Source, max_bytes: int, spill: Spill | None) -> None:
        self._lines = source.whole_lines(max_bytes, spill)
        self._again: deque[Line] = deque()
        self._max = max_bytes
        self._cells = 0
        self._delimiter = ","

    def expect(self, cells: int, delimiter: str) -> None:
        self._cells, self._delimiter = cells, delimiter

    def __iter__(self) -> Iterator[tuple[int, bytes | None]]:
        """The number of the first line and the bytes without the last line end; None for a line over the limit."""
        while (line := self._next()) is not None:
            if line.data is None:
                yield line.number, None
            elif line.data.strip():
                yield line.number, self._record(line.data)

    def _record(self, first: bytes) -> bytes:
        if first.count(b'"') % 2 == 0:
            return first.removesuffix(b"\r")
        taken: list[Line] = []
        record, size = [first], len(first)
        while size <= self._max and (line := self._next()) is not None:
            taken.append(line)
            if line.data is None:
                break
            record.append(line.data)
            size += len(line.data) + 1
            if line.data.count(b'"') % 2:
                whole = b"\n".join(record).removesuffix(b"\r")
                if self._fits(whole):
                    return whole
                break
        self._again.extendleft(reversed(taken))
        return first.removesuffix(b"\r")

    def _fits(self, record: bytes) -> bool:
        cells = _cells(record.decode("utf-8", "replace"), self._delimiter)
        return cells is not None and self._cells in (0, len(cells))

    def _next(self) -> Line | None:
        return self._again.popleft() if self._again else next(self._lines, None)


def _row(number: int, record: bytes | None, names: Sequence[str], delimiter: str, max_bytes: int) -> RawRow:
    if record is None:
        return RawRow(
            number, None, BadRow("", f"line is too long; at most {max_bytes:,} bytes are read. Split the row")
        )
    # bytes that are not UTF-8 become lone surrogates, and are found in their cell
    cells = _cells(record.decode("utf-8", "surrogateescape"), delimiter)
    if cells is None:
        return RawRow(number, record, BadRow("", _UNCLOSED))
    if len(cells) != len(names):
        return RawRow(number, record, BadRow("", _cells_differ(len(cells), len(names), delimiter)))
    values: dict[str, Any] = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
    for name, cell in values.items():
        if not _is_utf8(cell):
            return RawRow(
                number, record, BadRow(name, f"holds bytes that are not UTF-8. {encoding_hint(record)}", values)
            )
    return RawRow(number, record, values)


def _cells_differ(cells: int, names: int, delimiter: str) -> str:
    return (
        f"has {cells} cells; the header has {names}. Put a cell that holds {_SHOWN.get(delimiter, delimiter)} in quotes"
    )


def _is_utf8(cell: str) -> bool:
    return cell.isascii() or not any("\udc80" <= c <= "\udcff" for c in cell)


def _cells(text: str, delimiter: str) -> list[str] | None:
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _delimiter(header: str) -> str:
    outside = "".join(header.split('"')[::2])
    counts = Counter(c for c in outside if c in _DELIMITERS)
    return max(_DELIMITERS, key=lambda delimiter: counts[delimiter])


def _names(file: str, cells: Sequence[str]) -> list[str]:
    names = [cell.strip() or f"column_{i}" for i, cell in enumerate(cells, 1)]
    if names == [str(i) for i in range(len(names))]:  # as pandas names columns without names
        names = [f"column_{i}" for i in range(1, len(names) + 1)]
    if not names:
        raise UnreadableFile(f"{file}: the header is empty. Name the columns in the first line.")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise UnreadableFile(f"{file}: the header names the column {repeated[0]!r} twice. Rename one of them.")
    return names
