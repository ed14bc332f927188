"""Answers that a file gives as a number, as true or as false: taken as the text that stands in the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.ingest.parse import BadRow, parse_row
from tunixrt_core.ingest.paths import Keys, keys_of, value_at, with_value
from tunixrt_core.ingest.rows import RawRow

_ANSWERS = frozenset({"final_answer", "reference_answer"})


def with_text_answers(row: RawRow, columns: Mapping[str, str]) -> RawRow:
    """The row with text in those `columns` (name -> fields) that give a final or a reference answer.

    `1.50` stays `1.50` and `true` `true`, however many digits a number has. Rows of Parquet hold no text: whole numbers
    and booleans are taken, a floating-point number makes the row a bad one, because `42.0` may have been `42`.
    """
    found = row.object
    if found is None:
        return row
    answers = [keys for name, field in columns.items() if (keys := _answer(found, name, field))]
    if not answers:
        return row
    if row.data is not None:
        return row._replace(value=parse_row(row.data, as_text=answers))
    if isinstance(row.value, BadRow):
        return row
    for keys in answers:
        value = value_at(found, keys)
        if isinstance(value, float):
            return row._replace(value=BadRow(_name(keys), _NO_TEXT.format(value), found))
        found = with_value(found, keys, str(value).lower() if isinstance(value, bool) else str(value))
    return row._replace(value=found)


_NO_TEXT = "is the floating-point number {}, of which Parquet keeps no text; write the column as text or whole numbers"


def _answer(row: Mapping[str, Any], name: str, field: str) -> Keys | None:
    """Where the column stands, if it gives an answer and holds no text there."""
    if _ANSWERS.isdisjoint(field.split(", ")) or not (keys := keys_of(row, name)):
        return None
    return keys if isinstance(value_at(row, keys), bool | int | float) else None


def _name(keys: Keys) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")
