"""Members of a zip archive that are packed with Zstandard, as Inspect packs them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import BinaryIO, cast

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.packed import FAULTS, unpacked

ZSTANDARD = 93  # its number in the list of methods of APPNOTE.TXT, 4.4.5; zipfile reads it from Python 3.14 on
_LOCAL = struct.Struct("<4s22xHH")  # the header before the data: its signature, and the lengths of name and extra field


def open_zstd(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    """The content of a member. Raises BadZipFile here, and UnreadableFile while it is read, where it is damaged."""
    stream = cast(BinaryIO, archive.fp)
    stream.seek(info.header_offset)
    head = stream.read(_LOCAL.size)
    if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile("its local header is damaged")
    _, name, extra = _LOCAL.unpack(head)
    start = info.header_offset + _LOCAL.size + name + extra
    packed = cast(BinaryIO, io.BufferedReader(_Part(stream, start, start + info.compress_size)))
    return cast(BinaryIO, io.BufferedReader(_Checked(unpacked(packed, "Zstandard"), info)))


class _Part(io.RawIOBase):
    """The bytes of a stream from `at` up to `end`."""

    def __init__(self, stream: BinaryIO, at: int, end: int) -> None:
        self._stream = stream
        self._at = at
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._stream.seek(self._at)
        data = self._stream.read(min(len(buffer), self._end - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class _Checked(io.RawIOBase):
    """An unpacked member whose size and checksum are compared at its end."""

    def __init__(self, stream: BinaryIO, info: zipfile.ZipInfo) -> None:
        self._stream = stream
        self._info = info
        self._size = self._crc = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            data = self._stream.read(len(buffer))
        except FAULTS as error:
            raise self._damaged(str(error)) from None
        buffer[: len(data)] = data
        self._size += len(data)
        self._crc = zlib.crc32(data, self._crc)
        if self._size > self._info.file_size or (not data and buffer and not self._is_whole()):
            raise self._damaged("its size or checksum differs")
        return len(data)

    def _is_whole(self) -> bool:
        return self._size == self._info.file_size and self._crc == self._info.CRC

    def _damaged(self, why: str) -> UnreadableFile:
        return UnreadableFile(f"{self._info.filename} cannot be unpacked ({why}). Copy the archive again.")
