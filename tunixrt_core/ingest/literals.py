"""Values that a file gives as a number, as true or as false, where text is wanted: the text that stands in the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tunixrt_core.ingest.files.parse import BadRow, as_written, parse_row, with_texts
from tunixrt_core.ingest.files.paths import Keys, keys_of, value_at, with_value
from tunixrt_core.ingest.files.rows import RawRow, parsed
from tunixrt_core.util.hashing import check_json

_ANSWERS = frozenset({"final_answer", "reference_answer"})
_TOO_LARGE = "integer does not fit in 64 bits"


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


def object_with_text_answers(data: bytes) -> Any:
    """The value of a JSON text; of an object, the final and the reference answer as `with_text_answers` has them.

    Raises ValueError where the text is no JSON.
    """
    value = json.loads(data)
    if not isinstance(value, dict):
        return value
    answers = [keys for name in _ANSWERS if (keys := _answer(value, name, name))]
    return with_texts(value, data, answers) if answers else value


def exact_row(raw: RawRow) -> dict[str, Any] | BadRow:
    """The row with every JSON number as the text it stands as, whatever its size. CSV and Parquet are as they are."""
    found = parsed(raw).value
    assert found is not None, "a row that was parsed has a value"
    if raw.value is not None or (isinstance(found, BadRow) and found.reason != _TOO_LARGE):
        return found
    exact: dict[str, Any] = as_written(raw.data or b"")
    if isinstance(found, BadRow):
        check_json(exact, "row")  # its one fault was the size of a number
    return exact


_NO_TEXT = "is the floating-point number {}, of which Parquet keeps no text; write the column as text or whole numbers"


def _answer(row: Mapping[str, Any], name: str, field: str) -> Keys | None:
    """Where the column stands, if it gives an answer and holds no text there."""
    if _ANSWERS.isdisjoint(field.split(", ")) or not (keys := keys_of(row, name)):
        return None
    return keys if isinstance(value_at(row, keys), bool | int | float) else None


def _name(keys: Keys) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")
