"""Columns told by hand: which column of a file is which field of a trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from tunixrt_core.errors import InvalidTrace, UnreadableFile
from tunixrt_core.ingest.files.paths import keys_of, value_at, without
from tunixrt_core.ingest.formats.fields import Item, Options
from tunixrt_core.ingest.formats.question_answer import answered

Field = Literal["prompt", "steps", "final_answer", "reference_answer", "system", "source", "model", "meta", "ignore"]
FIELDS: tuple[Field, ...] = get_args(Field)
_MANY = ("meta", "ignore")
_OPTIONAL = ("reference_answer", "system", "source", "model")


def fields_of(pairs: Iterable[str]) -> dict[str, str]:
    """Column -> field, from `field=column` texts. Raises UnreadableFile for what is none, or names a column twice."""
    fields: dict[str, str] = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not equals or not column:
            raise UnreadableFile(f"{pair!r} is not a mapping. Write field=column, such as prompt=question.")
        if column in fields:
            raise UnreadableFile(f"The column {column!r} is mapped twice.")
        fields[column] = field.strip()
    return fields


class ColumnMapping:
    """A format that the user makes: column -> field. Columns that are not named are kept under `meta`.

    A column may be one inside of another, `extra.solution` or `messages[0].content`, as `paths` reads them.

    `prompt` and `final_answer` must be there. Without `steps` the answer is split at its marks. Raises UnreadableFile
    for a field that is not known, is named twice, or is missing.
    """

    NAME = "mapping"

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        for column, field in self.fields.items():
            if field not in FIELDS:
                raise UnreadableFile(f"There is no field {field!r} for column {column!r}. Use: {', '.join(FIELDS)}.")
        self._columns = {field: column for column, field in self.fields.items() if field not in _MANY}
        single = [field for field in self.fields.values() if field not in _MANY]
        for field in single:
            if single.count(field) > 1:
                raise UnreadableFile(f"Two columns are mapped to {field}. Map one, and the other to meta or ignore.")
        for field in ("prompt", "final_answer"):
            if field not in self._columns:
                raise UnreadableFile(f"No column is mapped to {field}. Name one, as in {field}=COLUMN.")

    @classmethod
    def parse(cls, pairs: Iterable[str]) -> ColumnMapping | None:
        """From `field=column` texts; None where there are none. Raises UnreadableFile."""
        fields = fields_of(pairs)
        return cls(fields) if fields else None

    def matches(self, row: Mapping[str, Any]) -> bool:
        return all(keys_of(row, self._columns[field]) for field in ("prompt", "final_answer"))

    def columns(self, row: Mapping[str, Any]) -> Mapping[str, str]:
        return self.fields

    def read(self, row: Mapping[str, Any], options: Options) -> list[Item]:
        """The text of a column goes to its field as it is; `steps` may also be a list."""
        found, meta = self._found(row)
        steps = self._columns.get("steps")
        optional = {field: self._text(found, field) for field in _OPTIONAL}
        optional["source"] = optional["source"] if optional["source"] is not None else options.source
        return [
            answered(
                found,
                self._columns["prompt"],
                self._columns["final_answer"],
                steps if steps is not None and found.get(steps) is not None else None,
                options.rule,
                meta=meta,
                names=self._columns,
                **optional,
            )
        ]

    def _found(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The columns that have a field of their own, by the names that the user gave them, and what else there is."""
        found: dict[str, Any] = {}
        left = dict(row)
        for column, field in self.fields.items():
            if field != "meta" and (keys := keys_of(row, column)):
                found[column] = value_at(row, keys)
                left = without(left, keys)
        return found, left

    def _text(self, row: Mapping[str, Any], field: str) -> str | None:
        column = self._columns.get(field)
        value = None if column is None else row.get(column)
        if value is None or isinstance(value, str):
            return value
        raise InvalidTrace(str(column), f"must be text, not {type(value).__name__}")
