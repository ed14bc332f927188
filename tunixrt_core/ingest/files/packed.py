"""gzip, bzip2, xz and Zstandard, unpacked within a limit."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable
from typing import IO, BinaryIO, cast

from tunixrt_core.errors import UnreadableFile

# what a packed file may become before its ratio counts, and how many times its size it may be then
_FREE_BYTES = 256 << 20
MAX_RATIO = 200
# short lines that are not blank, which a packed file may hold before their number counts; from then on at most one
# for each packed byte
_FREE_LINES = 100_000
_SHORT = 16  # bytes, the mean of a block
_LINE = re.compile(rb"\S\r?\n")
_MAGICS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "Zstandard"}
SUFFIXES = (".gz", ".gzip", ".bz2", ".xz", ".zst", ".zstd")


def packing_of(head: bytes) -> str | None:
    """What packed the file that begins like this; None for a file as it is."""
    return next((name for magic, name in _MAGICS.items() if head.startswith(magic)), None)


def without_suffix(name: str) -> str:
    """The name without the ending of a packed file: `rows.csv.gz` is `rows.csv`."""
    lower = name.lower()
    return next((name[: -len(end)] for end in SUFFIXES if lower.endswith(end)), name)


def unpacked(stream: IO[bytes], packing: str) -> BinaryIO:
    """The content of a packed stream, as a stream. Reading raises what `FAULTS` lists where it is damaged."""
    if packing == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    if packing == "bzip2":
        return cast(BinaryIO, bz2.BZ2File(stream))
    if packing == "xz":
        return cast(BinaryIO, lzma.LZMAFile(stream))
    import pyarrow as pa  # takes a tenth of a second, and most files are not packed with it

    return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd"))


FAULTS = (EOFError, zlib.error, lzma.LZMAError, OSError)


class Bounded(io.RawIOBase):
    """An unpacked stream that ends with UnreadableFile where it grows out of proportion to what was packed."""

    def __init__(self, stream: BinaryIO, name: str, packed_bytes: Callable[[], int]) -> None:
        self._stream = stream
        self._name = name
        self._packed_bytes = packed_bytes
        self._count = 0
        self._lines = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        check_proportion(self._name, self._count, self._packed_bytes)
        self._check_lines(data)
        return len(data)

    def _check_lines(self, data: bytes) -> None:
        if data.count(b"\n") * _SHORT < len(data):
            return
        self._lines += len(_LINE.findall(data))
        packed = self._packed_bytes()
        if self._lines > max(_FREE_LINES, packed):
            raise UnreadableFile(
                f"{self._name} unpacks to more short lines than it has packed bytes, {self._lines:,} of {packed:,} "
                "bytes or more. If it is meant, unpack it yourself and import what was in it."
            )


def check_proportion(name: str, size: int, packed: int | Callable[[], int]) -> None:
    """Raises UnreadableFile where `size` is over `MAX_RATIO` times the packed size, which no real data reaches."""
    if size <= _FREE_BYTES:
        return
    if size > MAX_RATIO * (packed if isinstance(packed, int) else packed()):
        raise UnreadableFile(
            f"{name} unpacks to more than {MAX_RATIO} times its size, {size:,} bytes or more. "
            "If it is meant, unpack it yourself and import what was in it."
        )
