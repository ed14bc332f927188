"""A byte stream and its lines, split on b"\\n" only, in bounded memory however long a line is."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, NamedTuple, cast

from tunixrt_core.errors import UnreadableFile

BLOCK = 1 << 16
_READ = 1 << 18
_IN_MEMORY = 8 << 20
_GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
_BOM = b"\xef\xbb\xbf"

Spill = Callable[[bytes], object]


class Line(NamedTuple):
    """One line without its end. `data` is None where the line is over the limit; `size` is its length in bytes."""

    number: int
    data: bytes | None
    size: int


class _Resumed(io.RawIOBase):
    """A stream that was read a little, whole again: what was read first, then the rest. Needs no seek. Counts bytes."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data, self._head = self._head, b""
        if not data:
            data = self._rest.read(len(buffer))
        elif len(data) > len(buffer):
            data, self._head = data[: len(buffer)], data[len(buffer) :]
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


class Source:
    """A byte stream with a name for messages: unpacked where it is gzip, without its byte order mark.

    Raises UnreadableFile, here and while reading, for what is neither text nor Parquet, or breaks off.
    """

    def __init__(self, stream: BinaryIO, name: str, *, owned: bool = False) -> None:
        self.name = name
        self._owned = stream if owned else None
        self._raw = _Resumed(self.read(BLOCK, stream), stream)
        buffered: IO[bytes] = io.BufferedReader(self._raw, BLOCK)
        head = self._peek(buffered)
        self.packed = head.startswith(_GZIP_MAGIC)
        if self.packed:
            unpacked = cast(BinaryIO, gzip.GzipFile(fileobj=buffered))
            head = self.read(BLOCK, unpacked)
            buffered = io.BufferedReader(_Resumed(head, unpacked), BLOCK)
        self.head = head.removeprefix(_BOM)
        self.is_parquet = head.startswith(PARQUET_MAGIC)
        self._stream = buffered
        if not self.is_parquet:
            self._check_text(head)
        if head.startswith(_BOM):
            buffered.read(len(_BOM))

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the stream so far, packed ones where it is packed."""
        return self._raw.count

    def lines(self, max_bytes: int, spill: Spill | None = None) -> Iterator[Line]:
        """Every line, blank ones too, so that the numbers are the file's. A trailing \\r is no part of a line.

        `spill` is given the bytes of lines over the limit, with their ends, as they pass.
        """
        for line in self.whole_lines(max_bytes + 1, spill):  # with room for \r
            _, data, size = line
            if data is None:
                yield line
            elif data.endswith(b"\r"):
                yield Line(line.number, data[:-1], size - 1)
            elif size > max_bytes:
                if spill:
                    spill(data + b"\n")
                yield Line(line.number, None, size)
            else:
                yield line

    def whole_lines(self, max_bytes: int, spill: Spill | None = None) -> Iterator[Line]:
        """The same with the \\r that stands before a line's end."""
        number, pending = 0, b""
        new = tuple.__new__  # a third of the time that Line(...) takes
        while block := self.read1(_READ):
            parts = (pending + block).split(b"\n") if pending else block.split(b"\n")
            pending = parts.pop()
            for data in parts:
                number += 1
                size = len(data)
                if size > max_bytes:
                    if spill:
                        spill(data + b"\n")
                    yield Line(number, None, size)
                else:
                    yield new(Line, (number, data, size))
            if len(pending) > max_bytes:
                number += 1
                size, pending = self._skip_line(pending, spill)
                yield Line(number, None, size)
        if pending:
            yield Line(number + 1, pending, len(pending))

    def _skip_line(self, begun: bytes, spill: Spill | None) -> tuple[int, bytes]:
        """The length of a line that is too long to keep, and what follows it."""
        size, block = 0, begun
        while block:
            end = block.find(b"\n")
            if spill:
                spill(block if end < 0 else block[: end + 1])
            if end >= 0:
                return size + end, block[end + 1 :]
            size += len(block)
            block = self.read1(_READ)
        if spill:
            spill(b"\n")
        return size, b""

    def seekable(self) -> BinaryIO:
        """The whole content, unpacked, as a file that can be sought in: the file itself, else a copy on disk."""
        if self._owned is not None and not self.packed:
            self._owned.seek(0)
            return self._owned
        copy = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # it vanishes with its last user
        try:
            shutil.copyfileobj(self._stream, copy)
        except (EOFError, zlib.error, OSError) as error:
            raise self._broken(error) from None
        copy.seek(0)
        return cast(BinaryIO, copy)

    def close(self) -> None:
        """Close the stream below, if it was opened for this source."""
        if self._owned is not None:
            self._owned.close()

    def read(self, size: int, stream: IO[bytes] | None = None) -> bytes:
        try:
            return (stream or self._stream).read(size)
        except (EOFError, zlib.error, OSError) as error:
            raise self._broken(error) from None

    def read1(self, size: int) -> bytes:
        """What is there already, up to `size` bytes; waits only where there is nothing."""
        try:
            return cast(io.BufferedReader, self._stream).read1(size)
        except (EOFError, zlib.error, OSError) as error:
            raise self._broken(error) from None

    def _peek(self, stream: IO[bytes]) -> bytes:
        return cast(io.BufferedReader, stream).peek(BLOCK)

    def _broken(self, error: Exception) -> UnreadableFile:
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            return UnreadableFile(f"{self.name} cannot be read: {error.strerror or error}.")
        return UnreadableFile(
            f"{self.name} is a gzip file that is damaged or breaks off ({error}). Copy or download it again."
        )

    def _check_text(self, head: bytes) -> None:
        if not head.removeprefix(_BOM).strip():
            if len(head) < BLOCK:
                raise UnreadableFile(f"{self.name} is empty.")
            return
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise UnreadableFile(f"{self.name} is UTF-16 text. Save it as UTF-8.")
        # a file that begins like JSON is read row by row: one bad row is no reason to refuse the others
        if not head.removeprefix(_BOM).lstrip().startswith((b"{", b"[")) and not _is_text(head):
            first = head.split(b"\n", 1)[0]
            if b"\0" not in head and _is_text(first) and any(mark in first for mark in (b",", b";", b"\t")):
                return  # nor are the cells below a sound header
            raise UnreadableFile(
                f"{self.name} is a binary file. Traces are read from JSONL, JSON, CSV and Parquet, plain or gzip."
            )


def _is_text(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # the block may end inside a character
        return b"\0" not in head and error.start >= len(head) - 3 and error.reason == "unexpected end of data"
    return b"\0" not in head
