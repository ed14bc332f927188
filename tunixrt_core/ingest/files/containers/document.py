"""JSON documents: an array of rows, or one object."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.lines import Source
from tunixrt_core.ingest.files.rows import RawRow

_OPENED = re.compile(rb'\{(?:\s*"(?:[^"\\\\]|\\\\.){1,200}"\s*:\s*[\[{])?')
_SPACE = re.compile(r"[ \t\r\n]*")


def is_document(head: bytes) -> bool:
    """Whether the file is read whole: it begins with `[`, or with an object over several lines.

    A first line that is no more than an opening brace and perhaps a key tells that; no row of a file of lines is so.
    """
    start = head.lstrip()
    first, _, more = start.partition(b"\n")
    first = first.strip()
    if first.startswith(b"[") and first.endswith(b"]") and more.lstrip().startswith(b"[") and _is_json(first):
        return False  # a list per line
    return start.startswith(b"[") or _OPENED.fullmatch(first) is not None


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


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


def members(text: str) -> dict[str, tuple[int, int]]:
    """Where the value of each key of the object that a valid JSON text holds begins and ends."""
    decoder = json.JSONDecoder()
    found: dict[str, tuple[int, int]] = {}
    at = after_space(text, after_space(text, 0) + 1)
    while text[at : at + 1] == '"':
        key, end = decoder.raw_decode(text, at)
        at = after_space(text, after_space(text, end) + 1)
        _, end = decoder.raw_decode(text, at)
        found[key] = at, end
        at = after_space(text, after_space(text, end) + 1)
    return found


def elements(text: str) -> list[tuple[int, int]]:
    """Where each value of the list that a valid JSON text holds begins and ends."""
    decoder = json.JSONDecoder()
    found: list[tuple[int, int]] = []
    at = after_space(text, after_space(text, 0) + 1)
    while at < len(text) and text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        found.append((at, end))
        at = after_space(text, end)
        if text[at : at + 1] == ",":
            at = after_space(text, at + 1)
    return found


def _rows(text: str) -> Iterator[tuple[int, str]]:
    decoder = json.JSONDecoder()
    at = after_space(text, 0)
    in_array = text[at] == "["
    at = after_space(text, at + 1) if in_array else at
    line, counted = 1, 0
    while at < len(text) and text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        line, counted = line + text.count("\n", counted, at), at
        yield line, text[at:end]
        at = after_space(text, end)
        if in_array and text[at : at + 1] == ",":
            at = after_space(text, at + 1)
            if text[at : at + 1] == "]":
                raise json.JSONDecodeError("a comma before the end of the array", text, at)
        elif in_array and text[at : at + 1] != "]":
            raise json.JSONDecodeError("a comma or the end of the array is missing", text, at)
    if in_array and (text[at : at + 1] != "]" or after_space(text, at + 1) != len(text)):
        raise json.JSONDecodeError("the array does not end the file", text, at)


def after_space(text: str, at: int) -> int:
    """Where white space that may begin there ends."""
    found = _SPACE.match(text, at)
    return found.end() if found else at
