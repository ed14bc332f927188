"""CSV with a header: every cell stays the text it is, an empty one counts as absent, and rows know their lines."""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.lines import Line, Source, Spill
from tunixrt_core.ingest.files.parse import BadRow
from tunixrt_core.ingest.files.rows import RawRow

_DELIMITERS = (",", ";", "\t")
_SUFFIXES = (".csv", ".tsv")
_UNCLOSED = "opens a quote that is not closed before the next row, or holds one inside an unquoted cell"


def is_csv(source: Source) -> bool:
    """Whether the text is no JSON and looks like cells: by its name, or by a delimiter in its first line."""
    lines = [line for line in source.head.split(b"\n")[:20] if line.strip()]
    if not lines or lines[0].lstrip().startswith((b"{", b"[")):
        return False
    if source.name.lower().removesuffix(".gz").endswith(_SUFFIXES):
        return True
    if any(line.lstrip().startswith(b"{") for line in lines):
        return False
    return any(delimiter.encode() in lines[0] for delimiter in _DELIMITERS)


def read_csv(source: Source, max_bytes: int, spill: Spill | None = None) -> Iterator[RawRow]:
    """One row a record. The header is passed on as line 0, so that rejected rows can stand below it again.

    Raises UnreadableFile where the header cannot be used.
    """
    csv.field_size_limit(1 << 30)  # for the whole process, which reads CSV nowhere else; lines are bounded above
    records = _Records(source, max_bytes, spill)
    number, header = next(iter(records))
    if header is None:
        raise UnreadableFile(f"{source.name}: the header in line {number} cannot be read as CSV.")
    text = header.decode("utf-8", "replace")
    delimiter = _delimiter(text)
    names = _names(source.name, text, delimiter)
    yield RawRow(0, header, None)
    records.expect(len(names), delimiter)
    for number, record in records:
        yield _row(number, record, names, delimiter, max_bytes)


class _Records:
    """Lines put together to records: a record goes on while a quote is open.

    Where that does not give the cells that the header has, only the first line is at fault, and the next begin anew.
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
        return RawRow(number, None, BadRow("", f"line is too long; at most {max_bytes:,} bytes are read"))
    # bytes that are not UTF-8 become lone surrogates, and are found in their cell
    cells = _cells(record.decode("utf-8", "surrogateescape"), delimiter)
    if cells is None:
        return RawRow(number, record, BadRow("", _UNCLOSED))
    if len(cells) != len(names):
        return RawRow(number, record, BadRow("", f"has {len(cells)} cells; the header has {len(names)}"))
    values: dict[str, Any] = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
    for name, cell in values.items():
        if not _is_utf8(cell):
            return RawRow(number, record, BadRow(name, "holds bytes that are not UTF-8", values))
    return RawRow(number, record, values)


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


def _names(file: str, header: str, delimiter: str) -> list[str]:
    names = [name.strip() for name in _cells(header, delimiter) or []]
    if not names or not all(names):
        raise UnreadableFile(f"{file}: the header has a column without a name. Name every column in the first line.")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise UnreadableFile(f"{file}: the header names the column {repeated[0]!r} twice. Rename one of them.")
    return names
