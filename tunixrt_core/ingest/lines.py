"""Lines of a byte stream, split on b"\\n" only, in bounded memory however long a line is."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO, NamedTuple, cast

from tunixrt_core.errors import UnreadableFile

BLOCK = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line without its end. `data` is None where the line is over the limit; `size` is its length in bytes."""

    number: int
    data: bytes | None
    size: int


class _Resumed(io.RawIOBase):
    """A stream that was read a little, whole again: what was read first, then the rest. Needs no seek."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data, self._head = self._head, b""
        if not data:
            data = self._rest.read(len(buffer))
        elif len(data) > len(buffer):
            data, self._head = data[: len(buffer)], data[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


class Source:
    """A byte stream with a name for messages: unpacked where it is gzip, without its byte order mark.

    Raises UnreadableFile, here and while reading, for what is not text or breaks off.
    """

    def __init__(self, stream: BinaryIO, name: str, *, owned: bool = False) -> None:
        self.name = name
        self._owned = stream if owned else None
        buffered = self._buffer(stream, self.read(BLOCK, stream))
        head = self._peek(buffered)
        if head.startswith(_GZIP_MAGIC):
            buffered = cast(IO[bytes], gzip.GzipFile(fileobj=buffered))
            head = self.read(BLOCK, buffered)
            buffered = self._buffer(cast(BinaryIO, buffered), head)
        self.head = head.removeprefix(_BOM)
        self._stream = buffered
        self._check_text(head)
        if head.startswith(_BOM):
            buffered.read(len(_BOM))

    def lines(self, max_bytes: int) -> Iterator[Line]:
        """Every line, blank ones too, so that the numbers are the file's. A trailing \\r is no part of a line."""
        number = 0
        while data := self.readline(max_bytes + 2):  # with room for \r\n
            number += 1
            size, last = len(data), data
            while not last.endswith(b"\n") and (more := self.readline(BLOCK)):
                size, last = size + len(more), more  # the rest of an overlong line is counted, not kept
            body = data.removesuffix(b"\n").removesuffix(b"\r")
            if size > len(data) or len(body) > max_bytes:
                yield Line(number, None, size - last.endswith(b"\n"))
            else:
                yield Line(number, body, len(body))

    def close(self) -> None:
        """Close the stream below, if it was opened for this source."""
        if self._owned is not None:
            self._owned.close()

    def read(self, size: int, stream: IO[bytes] | None = None) -> bytes:
        try:
            return (stream or self._stream).read(size)
        except (EOFError, zlib.error, OSError) as error:
            raise self._broken(error) from None

    def readline(self, size: int) -> bytes:
        try:
            return self._stream.readline(size)
        except (EOFError, zlib.error, OSError) as error:
            raise self._broken(error) from None

    def _peek(self, stream: IO[bytes]) -> bytes:
        return cast(io.BufferedReader, stream).peek(BLOCK)

    def _buffer(self, stream: BinaryIO, head: bytes) -> IO[bytes]:
        return io.BufferedReader(_Resumed(head, stream), BLOCK)

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
            raise UnreadableFile(f"{self.name} is a binary file, not JSON text. Traces are read from JSONL or JSON.")


def _is_text(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # the block may end inside a character
        return b"\0" not in head and error.start >= len(head) - 3 and error.reason == "unexpected end of data"
    return b"\0" not in head
