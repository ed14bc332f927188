"""Numbers and booleans as the text that is in the file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from tunixrt_core.ingest.files.parse import BadRow, as_written, parse_row, with_texts
from tunixrt_core.ingest.files.paths import Keys, keys_of, value_at, with_value
from tunixrt_core.ingest.files.rows import RawRow, parsed
from tunixrt_core.util.hashing import check_json

_ANSWERS = frozenset({"final_answer", "reference_answer"})
_TOO_LARGE = "integer does not fit in 64 bits. Write it as text"


def with_text_answers(row: RawRow, columns: Mapping[str, str]) -> RawRow:
    """The row with text in those `columns` (name -> fields) that give a final or a reference answer.

    `1.50` stays `1.50` and `true` `true`, however many digits a number has. Rows of Parquet hold no text: there a
    floating-point number is written in its shortest form, and a whole one as pandas found it before it had to be a
    float, `42` for `42.0`.
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
        if isinstance(value, float) and not math.isfinite(value):
            return row._replace(value=BadRow(_name(keys), f"is {value}, which is no answer. Leave the row out", found))
        found = with_value(found, keys, _number_text(value))
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
    """The row with every JSON number as its text, whatever its size. Rows of CSV and Parquet are unchanged."""
    found = parsed(raw).value
    assert found is not None, "a row that was parsed has a value"
    if raw.value is not None or (isinstance(found, BadRow) and found.reason != _TOO_LARGE):
        return found
    exact: dict[str, Any] = as_written(raw.data or b"")
    if isinstance(found, BadRow):
        check_json(exact, "row")  # its one fault was the size of a number
    return exact


def _number_text(value: bool | int | float) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def _answer(row: Mapping[str, Any], name: str, field: str) -> Keys | None:
    """The path of a column that gives an answer and holds no text; None for others."""
    if _ANSWERS.isdisjoint(field.split(", ")) or not (keys := keys_of(row, name)):
        return None
    value = value_at(row, keys)
    if isinstance(value, list) and len(value) == 1:
        keys, value = (*keys, 0), value[0]
    return keys if isinstance(value, bool | int | float) else None


def _name(keys: Keys) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")
