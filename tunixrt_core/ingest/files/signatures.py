"""The kind of a file, by its first bytes."""

from __future__ import annotations

from typing import Literal

Binary = Literal["parquet", "arrow", "arrow_stream", "feather1", "zip", "tar", "xls"]

_KINDS: tuple[tuple[bytes, Binary], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"FEA1", "feather1"),
    (b"\xff\xff\xff\xff", "arrow_stream"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
)
_TAR_AT = 257
_LFS = b"version https://git-lfs.github.com/spec/"
_OTHERS = (
    (b"%PDF-", "is a PDF file. Write its rows as JSONL or CSV."),
    (b"SQLite format 3\0", "is a SQLite database. Write one of its tables as CSV."),
    (b"\x89HDF", "is an HDF5 file. Write its rows as Parquet or JSONL."),
    (b"\x93NUMPY", "is a NumPy array. Write its rows as JSONL."),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive. Unpack it, or pack it as zip."),
    (b"Rar!", "is a RAR archive. Unpack it, or pack it as zip."),
    (b"Obj\x01", "is an Avro file. Write its rows as Parquet or JSONL."),
    (b"ORC", "is an ORC file. Write its rows as Parquet or JSONL."),
    (b"\x80\x02", "is a pickle, which can run code when it is read. Write its rows as JSONL."),
    (b"\x80\x03", "is a pickle, which can run code when it is read. Write its rows as JSONL."),
    (b"\x80\x04", "is a pickle, which can run code when it is read. Write its rows as JSONL."),
    (b"\x80\x05", "is a pickle, which can run code when it is read. Write its rows as JSONL."),
)


def binary_kind(head: bytes) -> Binary | None:
    """The kind of a binary file that can be read; None for text and for what cannot be read."""
    if head[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return "tar"
    return next((kind for magic, kind in _KINDS if head.startswith(magic)), None)


def why_no_data(head: bytes) -> str | None:
    """What a file is that holds no rows although it can be read as text, and what to do; None for any other."""
    if head.startswith(_LFS):
        return (
            "is a Git LFS pointer, not the data: it names a file that was not downloaded. Run `git lfs pull`, or "
            "download the file itself."
        )
    start = head[:2_000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return (
            "is an HTML page, not data: a link to a page was downloaded, or a page that asks to sign in. Download the "
            "raw file."
        )
    if start.startswith(b"<?xml") or (start.startswith(b"<") and b"accessdenied" in start):
        return "is an XML file. Write its rows as JSONL or CSV, or download the file again."
    return next((reason for magic, reason in _OTHERS if head.startswith(magic)), None)
