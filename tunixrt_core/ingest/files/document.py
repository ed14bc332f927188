"""A file that is one JSON document: an array of rows, or a single object written over several lines."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.lines import Source
from tunixrt_core.ingest.files.rows import RawRow

_SPACE = re.compile(r"[ \t\r\n]*")


def is_document(head: bytes) -> bool:
    """Whether the file is read whole: it begins with `[`, or its first line is no more than an opening brace."""
    start = head.lstrip()
    return start.startswith(b"[") or start.split(b"\n", 1)[0].strip() == b"{"


def read_document(source: Source, max_bytes: int) -> Iterator[RawRow]:
    """The line where each row begins, and the row's own bytes.

    Raises UnreadableFile where the document is over the limit, or where its JSON breaks (with line and column).
    """
    data = source.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise UnreadableFile(
            f"{source.name} is one JSON document of more than {max_bytes:,} bytes. "
            "Write it as JSONL, one object a line: that has no limit."
        )
    # bytes that are not UTF-8 survive as surrogates, and are found again in their row
    text = data.decode("utf-8", "surrogateescape")
    try:
        for line, row in _rows(text):
            yield RawRow(line, row.encode("utf-8", "surrogateescape"), None)
    except json.JSONDecodeError as error:
        raise UnreadableFile(
            f"{source.name} is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except (RecursionError, ValueError) as error:
        raise UnreadableFile(f"{source.name} is not valid JSON: {error}.") from None


def rows_under(row: RawRow, keys: Collection[str]) -> Iterator[RawRow]:
    """The rows that an object such as `{"rows": [...]}` holds under the first of these keys that has a list.

    `row` is a RawRow of valid JSON.
    """
    text = (row.data or b"").decode("utf-8", "surrogateescape")
    for key, at in _members(text):
        if key in keys and text[at] == "[":
            _, end = json.JSONDecoder().raw_decode(text, at)
            first = row.line + text.count("\n", 0, at)
            for line, inner in _rows(text[at:end]):
                yield RawRow(first + line - 1, inner.encode("utf-8", "surrogateescape"), None)
            return


def _members(text: str) -> Iterator[tuple[str, int]]:
    """Each key of the object that the text is, and where its value begins."""
    decoder = json.JSONDecoder()
    at = _after_space(text, _after_space(text, 0) + 1)
    while text[at] == '"':
        key, end = decoder.raw_decode(text, at)
        at = _after_space(text, _after_space(text, end) + 1)
        yield key, at
        _, end = decoder.raw_decode(text, at)
        at = _after_space(text, _after_space(text, end) + 1)
        if at >= len(text):
            return


def _rows(text: str) -> Iterator[tuple[int, str]]:
    decoder = json.JSONDecoder()
    at = _after_space(text, 0)
    in_array = text[at] == "["
    at = _after_space(text, at + 1) if in_array else at
    line, counted = 1, 0
    while at < len(text) and text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        line, counted = line + text.count("\n", counted, at), at
        yield line, text[at:end]
        at = _after_space(text, end)
        if in_array and text[at : at + 1] == ",":
            at = _after_space(text, at + 1)
            if text[at : at + 1] == "]":
                raise json.JSONDecodeError("a comma before the end of the array", text, at)
        elif in_array and text[at : at + 1] != "]":
            raise json.JSONDecodeError("a comma or the end of the array is missing", text, at)
    if in_array and (text[at : at + 1] != "]" or _after_space(text, at + 1) != len(text)):
        raise json.JSONDecodeError("the array does not end the file", text, at)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
