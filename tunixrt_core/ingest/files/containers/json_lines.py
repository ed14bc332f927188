"""Rows of JSON Lines, one at a time or in blocks."""

from __future__ import annotations

from collections.abc import Iterator

from tunixrt_core.ingest.files.lines import Source, Spill
from tunixrt_core.ingest.files.parse import BadRow
from tunixrt_core.ingest.files.rows import RawRow

Lines = Iterator[tuple[int, bytes]]  # each with its number


class JsonLines(Iterator[RawRow]):
    """The rows of a source, not parsed yet, blank lines left out. Closes the source when they are used up."""

    def __init__(self, source: Source, max_bytes: int, spill: Spill | None = None) -> None:
        self._max = max_bytes
        self._blocks = self._read(source, spill)
        self._lines: Lines = iter(())  # what is left of the block that was begun

    def __next__(self) -> RawRow:
        while True:
            for number, data in self._lines:
                if data and not data.isspace():
                    return RawRow(number, data, None)
            block = next(self._blocks)
            if isinstance(block, RawRow):
                return block
            self._lines = block

    def blocks(self) -> Iterator[Lines | RawRow]:
        """What was not taken yet: lines, blank ones too, and each one that is too long as the row that it is."""
        yield self._lines
        yield from self._blocks

    def _read(self, source: Source, spill: Spill | None) -> Iterator[Lines | RawRow]:
        try:
            for number, lines, too_long in source.blocks(self._max, spill, skip_blank=True):
                if too_long:
                    reason = f"line is {too_long:,} bytes long; at most {self._max:,} are read. Split the row"
                    yield RawRow(number, None, BadRow("", reason))
                else:
                    yield enumerate(lines, number)
        finally:
            source.close()
