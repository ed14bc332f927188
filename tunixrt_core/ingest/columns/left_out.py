"""Columns that no trace includes though it misses them: long texts, media, tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunixrt_core.ingest.files.paths import keys_of, value_at

_SHARE = 0.5  # of the rows that have the column
_SAID = (
    "The column {!r} holds text that is longer than the prompt and is kept in `meta` only: it will not be trained. If "
    "it belongs to the trace, say with --map which column is what."
)
_SAID_OF_MEDIA = (
    "The column {!r} holds media and is kept in `meta` only: nothing but text is trained. Leave out rows that cannot "
    "be answered without them."
)
_SAID_OF_TOOLS = (
    "The column {!r} holds no definitions of tools that could be read, or the format has none, and is kept in `meta` "
    "only: the model is not told of them. Write a list of objects with `name` and `parameters`, beside chat messages."
)
_SAID_OF = dict.fromkeys(("image", "images", "video", "videos", "audio", "audios"), _SAID_OF_MEDIA) | dict.fromkeys(
    ("tools", "functions"), _SAID_OF_TOOLS
)
_EMPTY = ("", "[]", "{}", "null", "None")
_SHORTEST = 40  # characters; an id may well be longer than a short prompt


def left_out(rows: Sequence[tuple[int, Mapping[str, Any], Mapping[str, str]]]) -> list[tuple[str, int, int]]:
    """A sentence for each column that is kept under `meta` and holds media, tools, or in most rows text longer than the
    prompt, with the number of those rows and the line of the first.

    `rows` are some rows of a file, each with its line and the fields that its columns become.
    """
    longer: dict[str, list[int]] = {}
    seen: dict[str, int] = {}
    never: dict[str, list[int]] = {}
    for line, row, fields in rows:
        prompt = sum(_length(row, name) for name, field in fields.items() if "prompt" in field)
        for name, value in row.items():
            if value is None or not _is_left(name, fields):
                continue
            if (said := _SAID_OF.get(name)) is not None:
                if value and str(value).strip() not in _EMPTY:
                    never.setdefault(said.format(name), [0, line])[0] += 1
                continue
            seen[name] = seen.get(name, 0) + 1
            if isinstance(value, str) and len(value) >= _SHORTEST and len(value) > prompt and _is_prose(value):
                longer.setdefault(name, [0, line])[0] += 1
    found = [(said, times, first) for said, (times, first) in never.items()]
    return found + [
        (_SAID.format(name), times, first) for name, (times, first) in longer.items() if times > _SHARE * seen[name]
    ]


def _is_left(name: str, fields: Mapping[str, str]) -> bool:
    """Whether nothing was said about the column, nor about a part of it."""
    return name not in fields and not any(inner.startswith((f"{name}.", f"{name}[")) for inner in fields)


def _length(row: Mapping[str, Any], name: str) -> int:
    keys = keys_of(row, name)
    value = None if keys is None else value_at(row, keys)
    return 0 if value is None else len(str(value))


def _is_prose(text: str) -> bool:
    """Whether it reads like text, not like an id, a hash or an address."""
    return any(c.isspace() for c in text.strip()) or not text.isascii()
