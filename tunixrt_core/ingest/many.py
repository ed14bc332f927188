"""Several files read one after another, as if they were one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.containers.members import Member, Members
from tunixrt_core.ingest.files.rejects import Container
from tunixrt_core.ingest.files.rows import RawRow
from tunixrt_core.ingest.formats.detect import Detected
from tunixrt_core.ingest.report import Read, Warnings

if TYPE_CHECKING:
    from tunixrt_core.ingest.formats.detect import Format
    from tunixrt_core.ingest.reader import AnyReader

UNKNOWN_FORMAT = "unknown_format"  # in the details of an error: its rows are objects, of no format that is known
LONE_OBJECT = "lone_object"  # in the details of an error: the file is one object that is no row
_DESCRIPTION = (
    "is one object of no known format, such as the settings of a program, and was left out. Import the file alone to "
    "see which keys it has."
)
_KEPT = 100  # notes of several files
Opener = Callable[[Path | BinaryIO, str], "AnyReader"]


class FilesReader:
    """Iterate once over what the rows of several files give. Its attributes are those of a TraceReader.

    Files may be of several formats; each is opened when the one before it is used up, the first one at once. Raises
    UnreadableFile, here and while reading, where one of them cannot be read.
    """

    def __init__(self, name: str, members: Members, opened: Opener) -> None:
        self.name = name
        self._files = members.files
        self._opened = opened
        self._formats: list[str] = []
        self._notes = [members.note] if members.note else []
        self._named = members.named
        self._left_out: UnreadableFile | None = None
        self.warnings = Warnings()
        self._done_rows = self._done_bytes = 0
        self._sizes: list[int] = []
        self._over = False
        first = self._next()
        if first is None:
            raise self._left_out or UnreadableFile(f"{name}: no file was named.")
        self._now = first

    @property
    def format(self) -> str:
        """The format of the files so far, or all of them."""
        return ", ".join(dict.fromkeys(self._formats))

    @property
    def container(self) -> Container:
        return "files"

    @property
    def detected(self) -> Detected | None:
        """What was found of the file that is being read."""
        return self._now.detected

    @property
    def form(self) -> Format:
        return self._now.form

    @property
    def rows(self) -> int:
        return self._done_rows + (0 if self._over else self._now.rows)

    @property
    def bytes_read(self) -> int:
        return self._done_bytes + (0 if self._over else self._now.bytes_read)

    @property
    def notes(self) -> list[str]:
        now = [] if self._over else [f"{self._now.name}: {note}" for note in self._now.notes]
        files = f"{len(self._formats):,} files were read." if len(self._formats) > 1 else ""
        return [*([files] if files else []), *self._notes, *now]

    def columns_of(self, row: dict[str, Any]) -> Mapping[str, str]:
        """As that of the file that is being read."""
        return self._now.columns_of(row)

    def __iter__(self) -> Iterator[Read]:
        for reader in self._readers():
            yield from reader

    def by_row(self) -> Iterator[tuple[RawRow, Iterable[Read]]]:
        """Each row with what it gives."""
        for reader in self._readers():
            yield from reader.by_row()

    def _readers(self) -> Iterator[AnyReader]:
        yield self._now
        while True:
            self._done_rows, self._done_bytes = self.rows, sum(self._sizes)
            self._notes += [f"{self._now.name}: {note}" for note in self._now.notes][: _KEPT - len(self._notes)]
            found = self._next()
            if found is None:
                self._over = True
                return
            self._now = found
            yield found

    def _next(self) -> AnyReader | None:
        for member in self._files:
            try:
                reader = self._opened(member.open(), member.name)
            except UnreadableFile as error:
                if self._named or not error.details.get(LONE_OBJECT):
                    raise
                self._left_out = error
                self.warnings.add(f"{member.name}: {_DESCRIPTION}", 1)
                continue
            return self._begun(member, reader)
        return None

    def _begun(self, member: Member, reader: AnyReader) -> AnyReader:
        self._sizes.append(member.size)
        self._formats.append(reader.format)
        for warning in reader.warnings.found:
            self.warnings.add(f"{member.name}: {warning.text}", warning.first_line, warning.times)
        reader.warnings = self.warnings  # what is found while it is read
        return reader
