"""Rows inside an object, such as a list under a key.

Each row keeps its own JSON text, so that no number of it is altered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.files.containers.document import after_space, elements, members
from tunixrt_core.ingest.files.paths import Keys, keys_of, value_at
from tunixrt_core.ingest.files.rows import RawRow, parsed

IsRow = Callable[[dict[str, Any]], bool]
_MAX_DEPTH = 4
_SHOWN = 5
_OWN_ROW = ("row", "data", "example", "sample", "record", "item", "fields", "doc", "content")
_WITHOUT_KEY = dict.fromkeys(("columns", "cells", "split"), "the columns of one table") | {
    "objects": "the objects under its keys"
}
_NUMBERING = frozenset({"row_idx", "truncated_cells"})
# a document that begins like this holds rows, even where it is one long line
_BEGINS = re.compile(
    rb'\s*\{(?:[^{}\[\]]{0,4000},)?\s*"(?:data|rows|examples|samples|instances|items|records|results|train|test|'
    rb'validation|dev|eval|dataset|questions|problems|resourceSpans|observations|spans)"\s*:\s*[\[{]'
    rb'|\s*\{\s*"(?:question|prompt|problem|instruction|query|input)s?"\s*:\s*(?:\[\s*"|\{\s*"0")',
)


class _Text(NamedTuple):
    """A JSON text, and where it begins in the text of the whole object."""

    at: int
    text: str

    def part(self, start: int, end: int) -> _Text:
        return _Text(self.at + start, self.text[start:end])


class _Place(NamedTuple):
    """Where the rows of an object are: the keys that lead there, and how they are written."""

    keys: tuple[str, ...]
    kind: str  # list, columns, cells, objects, row
    first: dict[str, Any]


def begins_with_rows(head: bytes) -> bool:
    """Whether the first bytes of a file are those of an object that holds rows."""
    return _BEGINS.match(head) is not None


class Unwrapping:
    """Takes rows out of the objects that hold them. `where` names the place, for messages."""

    def __init__(self, name: str, is_row: IsRow, told: str | None = None) -> None:
        self._name = name
        self._is_row = is_row
        self._told = told
        self.where = f"`{told}`"

    def applies(self, first: Mapping[str, Any]) -> bool:
        """Whether the first object of the file is no row itself and holds some. Raises UnreadableFile where which
        ones is not clear, or the place that was told does not exist.
        """
        if self._told is not None:
            self._at(dict(first))
            return True
        if (place := self._place(dict(first))) is None:
            return False
        self.where = f"`{'.'.join(place.keys)}`" if place.keys else _WITHOUT_KEY[place.kind]
        return True

    def rows(self, objects: Iterator[RawRow], *, is_one: bool) -> Iterator[RawRow]:
        """The rows. Of a file that `is_one` object on one line they are counted, else they have the line where they
        begin, or that of their object.
        """
        number = 0
        for outer in objects:
            value = parsed(outer).value
            if not isinstance(value, dict):
                yield outer
                continue
            text = outer.bytes.decode("utf-8", "surrogateescape")
            whole = _Text(0, text)
            found = self._under_told(whole, value) if self._told is not None else self._inside(whole, value, {}, 0)
            line, counted = outer.line, 0
            by_line = not is_one or "\n" in text
            for at, inner in found:
                number += 1
                line, counted = line + text.count("\n", counted, at), max(counted, at)
                yield RawRow(line if by_line else number, inner.encode("utf-8", "surrogateescape"), None)

    def _at(self, value: dict[str, Any]) -> tuple[Keys, Any]:
        told = str(self._told)
        keys = keys_of(value, told)
        if keys is None:
            seen = ", ".join(sorted(map(str, value))[:20]) or "none"
            raise UnreadableFile(f"{self._name}: there is no {told!r} in it. Keys seen: {seen}.")
        found = value_at(value, keys)
        if not isinstance(found, list | dict):
            raise UnreadableFile(f"{self._name}: {told!r} holds no rows. Name a key with a list of objects.")
        return keys, found

    def _under_told(self, text: _Text, value: dict[str, Any]) -> Iterator[_Text]:
        keys, found = self._at(value)
        inner = _under(text, keys)
        if isinstance(found, list):
            yield from _pieces(inner, "list")
        else:
            yield from self._inside(inner, found, {}, 0)

    def _inside(self, text: _Text, value: dict[str, Any], outer: Mapping[str, str], depth: int) -> Iterator[_Text]:
        """The rows of an object, each with the plain values of the objects around it."""
        merged = {key: json.loads(inner) for key, inner in outer.items()} | value
        is_row = self._is_row(merged) and not (depth == 0 and self._is_table(value))
        place = None if is_row or depth > _MAX_DEPTH else self._place(value, depth, outer)
        if place is None:
            yield _Text(text.at, _spliced(text.text, outer))
            return
        own = {key: text.text[slice(*at)] for key, at in members(text.text).items()} if depth else {}
        shared = {key: inner for key, inner in own.items() if key not in _NUMBERING and _is_plain(value[key])}
        for piece in _pieces(_under(text, place.keys), place.kind):
            held = json.loads(piece.text)
            if isinstance(held, dict):
                yield from self._inside(piece, held, {**outer, **shared}, depth + 1)
            else:
                yield piece

    def _place(self, value: dict[str, Any], depth: int = 0, outer: Mapping[str, str] | None = None) -> _Place | None:
        if not self._is_table(value) and self._is_row(value):
            return None
        found = [place for place in _places(value) if self._leads_to_rows(place.first, depth, outer or {})]
        if len(found) > 1 and len({place.keys for place in found}) > 1:
            shortest = min(len(place.keys) for place in found)
            found = [place for place in found if len(place.keys) == shortest]
        if len(found) > 1:
            names = ", ".join(".".join(place.keys) for place in found[:_SHOWN])
            raise UnreadableFile(
                f"{self._name} holds rows in several places: {names}. Say which to read, as in "
                f"--field {'.'.join(found[0].keys)}."
            )
        return found[0] if found else None

    def _is_table(self, value: Mapping[str, Any]) -> bool:
        """Whether every value is a list of as many texts or numbers: columns, which a format might take for a row."""
        return any(place.kind in ("columns", "cells") for place in _tables(value, ()))

    def _leads_to_rows(self, first: dict[str, Any], depth: int, outer: Mapping[str, str]) -> bool:
        merged = {key: json.loads(inner) for key, inner in outer.items()} | first
        if self._is_row(merged):
            return True
        return depth < _MAX_DEPTH and any(
            self._leads_to_rows({**_plain_of(first), **place.first}, depth + 1, outer) for place in _places(first)
        )


def _places(value: Mapping[str, Any], keys: tuple[str, ...] = ()) -> Iterator[_Place]:
    """Where an object may hold rows."""
    yield from _tables(value, keys)
    for key, inner in value.items():
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            yield _Place((*keys, key), "list", inner[0])
        elif isinstance(inner, dict) and inner and len(keys) < _MAX_DEPTH:
            if key in _OWN_ROW:
                yield _Place((*keys, key), "row", inner)
            yield from _places(inner, (*keys, key))
    objects = list(value.values())
    if len(objects) > 1 and all(isinstance(inner, dict) for inner in objects):
        yield _Place(keys, "objects", objects[0])


def _tables(value: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[_Place]:
    columns = list(value.values())
    if len(columns) > 1 and all(isinstance(column, list) and column for column in columns):
        if len({len(column) for column in columns}) == 1 and not any(isinstance(column[0], dict) for column in columns):
            yield _Place(keys, "columns", {key: column[0] for key, column in value.items()})
    elif len(columns) > 1 and all(isinstance(column, dict) and column for column in columns):
        numbered = [list(column) for column in columns]
        if all(keys == numbered[0] and keys[0] == "0" for keys in numbered):
            yield _Place(keys, "cells", {key: column["0"] for key, column in value.items()})
    names, data = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(data, list) and data and isinstance(data[0], list):
        yield _Place(keys, "split", dict(zip(map(str, names), data[0], strict=False)))


def _under(text: _Text, keys: Keys) -> _Text:
    """The text of the value to which these keys lead."""
    for key in keys:
        start, end = members(text.text)[key] if isinstance(key, str) else elements(text.text)[key]
        text = text.part(start, end)
    return text


def _pieces(text: _Text, kind: str) -> Iterator[_Text]:
    """The JSON text of each row."""
    if kind == "row":
        yield text
    elif kind == "list":
        yield from (text.part(*at) for at in elements(text.text))
    elif kind == "objects":
        yield from (text.part(*at) for at in members(text.text).values())
    elif kind == "split":
        held = _under(text, ("data",))
        names = [str(name) for name in json.loads(_under(text, ("columns",)).text)]
        for row in (held.part(*at) for at in elements(held.text)):
            yield _Text(row.at, _object(names, [row.text[a:b] for a, b in elements(row.text)]))
    else:
        columns = {key: text.text[slice(*at)] for key, at in members(text.text).items()}
        cut = elements if kind == "columns" else lambda column: members(column).values()
        cells = [[column[a:b] for a, b in cut(column)] for column in columns.values()]
        for values in zip(*cells, strict=True):
            yield _Text(text.at, _object(list(columns), values))


def _object(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = zip(names, values, strict=False)
    return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {value}" for name, value in pairs) + "}"


def _spliced(text: str, outer: Mapping[str, str]) -> str:
    """An object with more members before its own; its own win."""
    if not outer:
        return text
    own = members(text)
    more = {key: value for key, value in outer.items() if key not in own}
    inner = text[after_space(text, 0) + 1 :]
    return _object(list(more), list(more.values()))[:-1] + (", " if more and own else "") + inner


def _plain_of(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: inner for key, inner in value.items() if _is_plain(inner)}


def _is_plain(value: Any) -> bool:
    """Whether a value may be shared by the rows inside: text, a number, or a list of texts."""
    return isinstance(value, str | bool | int | float) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )
