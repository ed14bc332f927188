"""Lines of a byte stream, split on b"\n" only, in bounded memory."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, NamedTuple, cast

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.encodings import Encoding, decoded, encoding_named, find_encoding
from tunixrt_core.ingest.files.packed import FAULTS, Bounded, packing_of, unpacked
from tunixrt_core.ingest.files.signatures import binary_kind, why_no_data

BLOCK = 1 << 16
_READ = 1 << 18
_IN_MEMORY = 8 << 20
_BOM = b"\xef\xbb\xbf"

Spill = Callable[[bytes], object]


class Line(NamedTuple):
    """One line without its end. `data` is None where the line is over the limit."""

    number: int
    data: bytes | None


class Block(NamedTuple):
    """Consecutive lines without their ends; `number` is that of the first. A line over the limit is not kept and is a
    block of its own: `too_long` is its length in bytes, otherwise 0.
    """

    number: int
    lines: list[bytes]
    too_long: int = 0


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
    """A byte stream with a name for messages: unpacked where it is packed, as UTF-8 without its byte order mark.

    `binary` is the kind of a file that is no text, such as `parquet`. Raises UnreadableFile, here and while reading,
    for what no reader knows, or breaks off.
    """

    encoding = "utf-8"

    def __init__(self, stream: BinaryIO, name: str, *, owned: bool = False, encoding: str | None = None) -> None:
        self.name = name
        self.notes: list[str] = []  # what the reader of the file should know about how it is read
        self._owned = stream if owned else None
        self._raw = _Resumed(self.read(BLOCK, stream), stream)
        buffered: IO[bytes] = io.BufferedReader(self._raw, BLOCK)
        head = self._peek(buffered)
        self.packing = packing_of(head)
        if self.packing is not None:
            opened = unpacked(buffered, self.packing)
            bounded = Bounded(opened, name, lambda: self._raw.count)
            head = self.read(BLOCK, cast(BinaryIO, bounded))
            buffered = io.BufferedReader(_Resumed(head, cast(BinaryIO, bounded)), BLOCK)
        self.binary = binary_kind(head)
        if self.binary is None:
            head, buffered = self._as_utf8(head, buffered, encoding)
        self.head = head.removeprefix(_BOM)
        self._stream = buffered
        if self.binary is None:
            self._check_text(head)
        if head.startswith(_BOM):
            buffered.read(len(_BOM))

    def _as_utf8(self, head: bytes, buffered: IO[bytes], told: str | None) -> tuple[bytes, IO[bytes]]:
        """The stream in UTF-8, by the encoding that was given or found, which the notes name."""
        found = Encoding(encoding_named(told), "as you said") if told else find_encoding(head)
        self.encoding = "utf-8" if found is None else found.name
        if found is None or found.name == "utf-8":
            return head, buffered
        self.notes.append(f"The text is read as {found.name} ({found.why}). Name another one with --encoding.")
        buffered = cast(IO[bytes], decoded(buffered, found.name))
        return self._peek(buffered), buffered

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the stream so far, packed ones where it is packed."""
        return self._raw.count

    def blocks(
        self, max_bytes: int, spill: Spill | None = None, *, keep_cr: bool = False, skip_blank: bool = False
    ) -> Iterator[Block]:
        """Every line, blank ones too, so that the numbers are the file's; with `skip_blank` long runs of blank ones are
        only counted. A trailing \\r is no part of a line, unless
        `keep_cr`. A line over the limit is a block of its own.

        `spill` is given the bytes of lines over the limit, with their ends, as they pass.
        """
        number, pending = 1, b""
        block = self.read1(_READ)
        while block:
            if skip_blank and not pending and block.isspace():
                number += block.count(b"\n")
                pending = block[block.rfind(b"\n") + 1 :]
                block = self.read1(_READ)
                continue
            lines = block.split(b"\n")
            lines[0] = pending + lines[0]
            pending = lines.pop()
            yield from _bounded(number, lines, max_bytes, spill, keep_cr)
            number += len(lines)
            rest = b""
            if len(pending) > max_bytes + 1:  # with room for \r
                size, rest = self._skip_line(pending, spill)
                yield Block(number, [], size)
                number, pending = number + 1, b""
            block = rest or self.read1(_READ)
        if pending:
            yield from _bounded(number, [pending], max_bytes, spill, keep_cr)

    def whole_lines(self, max_bytes: int, spill: Spill | None = None) -> Iterator[Line]:
        """The same, one line at a time, with the \\r before a line's end."""
        for number, lines, too_long in self.blocks(max_bytes, spill, keep_cr=True):
            if too_long:
                yield Line(number, None)
            for at, data in enumerate(lines, number):
                yield Line(at, data)

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
        if self._owned is not None and self.packing is None:
            self._owned.seek(0)
            return self._owned
        copy = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # it vanishes with its last user
        try:
            shutil.copyfileobj(self._stream, copy)
        except FAULTS as error:
            raise self._broken(error) from None
        copy.seek(0)
        return cast(BinaryIO, copy)

    @property
    def stream(self) -> IO[bytes]:
        """The content, unpacked, from where it was not read yet."""
        return self._stream

    def close(self) -> None:
        """Close the stream below, if it was opened for this source."""
        if self._owned is not None:
            self._owned.close()

    def read(self, size: int, stream: IO[bytes] | None = None) -> bytes:
        try:
            return (stream or self._stream).read(size)
        except FAULTS as error:
            raise self._broken(error) from None

    def read1(self, size: int) -> bytes:
        """The bytes that can be read at once, up to `size`; waits only where there are none."""
        try:
            return cast(io.BufferedReader, self._stream).read1(size)
        except FAULTS as error:
            raise self._broken(error) from None

    def _peek(self, stream: IO[bytes]) -> bytes:
        return cast(io.BufferedReader, stream).peek(BLOCK)

    def _broken(self, error: Exception) -> UnreadableFile:
        if self.packing is None or (isinstance(error, OSError) and error.errno is not None):
            reason = getattr(error, "strerror", None) or error
            return UnreadableFile(f"{self.name} cannot be read: {reason}. Check the file, and its encoding.")
        return UnreadableFile(
            f"{self.name} is a {self.packing} file that is damaged or breaks off ({error}). Copy or download it again."
        )

    def _check_text(self, head: bytes) -> None:
        if not head.removeprefix(_BOM).strip():
            if len(head) < BLOCK:
                raise UnreadableFile(f"{self.name} is empty.")
            return
        if (reason := why_no_data(head)) is not None:
            raise UnreadableFile(f"{self.name} {reason}")
        # a file that begins like JSON is read row by row: one bad row is no reason to refuse the others
        if not head.removeprefix(_BOM).lstrip().startswith((b"{", b"[")) and not _is_text(head):
            first = head.split(b"\n", 1)[0]
            if b"\0" not in head and _is_text(first) and any(mark in first for mark in (b",", b";", b"\t", b"|")):
                return  # nor are the cells below a sound header
            if b"\0" not in head:
                raise UnreadableFile(
                    f"{self.name} holds bytes that are not UTF-8, and its encoding is not known. Name it, as in "
                    "--encoding cp1252, or save the file as UTF-8."
                )
            raise UnreadableFile(
                f"{self.name} is a binary file of no kind that can be read. Traces are read from JSONL, JSON, CSV, "
                "Parquet, Arrow and Excel, alone, packed, or in a zip or tar file."
            )


def _bounded(number: int, lines: list[bytes], max_bytes: int, spill: Spill | None, keep_cr: bool) -> Iterator[Block]:
    """The lines in blocks, those over the limit alone."""
    begin = 0
    for i, line in enumerate(lines) if max(map(len, lines), default=0) > max_bytes else ():
        if len(line) - (not keep_cr and line.endswith(b"\r")) > max_bytes:
            if spill:
                spill(line + b"\n")
            yield from _block(number + begin, lines[begin:i], keep_cr)
            yield Block(number + i, [], len(line))
            begin = i + 1
    yield from _block(number + begin, lines[begin:] if begin else lines, keep_cr)


def _block(number: int, lines: list[bytes], keep_cr: bool) -> Iterator[Block]:
    if lines:
        yield Block(number, lines if keep_cr else [line.removesuffix(b"\r") for line in lines])


def _is_text(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # the block may end inside a character
        return b"\0" not in head and error.start >= len(head) - 3 and error.reason == "unexpected end of data"
    return b"\0" not in head
