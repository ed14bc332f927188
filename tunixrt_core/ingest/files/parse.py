"""Bytes of one row as a JSON object, with nothing altered."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tunixrt_core.ingest.files.encodings import encoding_hint
from tunixrt_core.ingest.files.json_faults import json_fault, not_an_object
from tunixrt_core.ingest.files.paths import Keys, value_at, with_value
from tunixrt_core.util.hashing import MAX_DEPTH, check_json

_KEY_END = re.compile(rb'"\s*:')
# digits -> 0, all else -> a space: finding a long number this way is ten times as fast as a pattern
_DIGITS_ONLY = bytes(48 if chr(byte) in "0123456789" else 32 for byte in range(256))
_LONG_NUMBER = b"0" * 19


class Number(str):
    """A JSON number as the text in the file."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """Why a row cannot be read. `row` is what could be made of it, for format detection only."""

    field: str
    reason: str
    row: dict[str, Any] | None = None


def parse_row(data: bytes, as_text: Sequence[Keys] = ()) -> dict[str, Any] | BadRow:
    """The JSON object in `data`, or why there is none. Numbers, true and false at `as_text` become the text they are.

    The fast parser would keep the last of two equal keys and round integers beyond 64 bits, so a row where either
    is possible is read again by the slow one, which finds both; so is a row that the fast parser refuses, because
    the slow one can name the field.
    """
    if as_text:
        return _diagnose(data, as_text)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _diagnose(data)
    if may_round(data) or count_key_ends(data) != count_keys(value):
        return _diagnose(data)
    return value if isinstance(value, dict) else BadRow("", not_an_object(value))


def may_round(data: bytes) -> bool:
    """Whether the text holds a run of digits that is long enough for a JSON library to round it."""
    return _LONG_NUMBER in data.translate(_DIGITS_ONLY)


def count_key_ends(data: bytes) -> int:
    """How often the text holds `":`, with white space between or without: once for every key, and more within text."""
    return len(_KEY_END.findall(data))


def count_keys(value: Any) -> int:
    """Keys in all objects of a parsed value. The text holds at least as many `":`; more means: look closer."""
    count = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            count += len(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(i for i in item if isinstance(i, dict | list))
    return count


def _diagnose(data: bytes, as_text: Sequence[Keys] = ()) -> dict[str, Any] | BadRow:
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            keys = [key for key, _ in items]
            repeated.extend(key for key in found if keys.count(key) > 1)
        return found

    try:
        # bytes that are not UTF-8 become lone surrogates, which check_json then finds with their path
        text = data.decode("utf-8", "surrogateescape")
        value = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        return BadRow("", json_fault(text, error))
    except RecursionError:
        return BadRow("", f"is nested too deeply. At most {MAX_DEPTH} levels are read")
    except ValueError as error:  # Python refuses to read integers of more than 4,300 digits
        return BadRow("", f"not valid JSON: {error}. Write the number as text")
    if not isinstance(value, dict):
        return BadRow("", not_an_object(value))
    if repeated:
        return BadRow(repeated[0], "the key occurs twice in one object. Remove one of them", value)
    row: dict[str, Any] = with_texts(value, text, as_text) if as_text else value
    try:
        check_json(row, "row")
    except ValueError as error:
        path, _, reason = str(error).partition(": ")
        return BadRow(path.removeprefix("row").removeprefix("."), _byte_reason(data, reason), row)
    return row


def as_written(text: str | bytes) -> Any:
    """The value of a JSON text with every number as its text, whatever its size. Raises ValueError."""
    return json.loads(text, parse_int=Number, parse_float=Number)


def with_texts(value: Any, text: str | bytes, places: Sequence[Keys]) -> Any:
    """The value of a JSON text with its numbers, true and false at `places` as their text."""
    written = as_written(text)
    for keys in places:
        found = value_at(written, keys)
        if isinstance(found, bool):
            value = with_value(value, keys, json.dumps(found))
        elif isinstance(found, str):  # NaN and Infinity are none, and stay to be found
            value = with_value(value, keys, str(found))
    return value


def _byte_reason(data: bytes, reason: str) -> str:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f"holds bytes that are not UTF-8 (byte {error.start + 1:,} of the row). {encoding_hint(data)}"
    return reason
