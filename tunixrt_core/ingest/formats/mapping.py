"""Column mapping by the user: which column is which field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, get_args

from tunixrt_core.errors import InvalidTrace, UnreadableFile
from tunixrt_core.ingest.columns.names import plain
from tunixrt_core.ingest.files.paths import keys_of, nested_in, value_at, without
from tunixrt_core.ingest.formats.fields import Item, Options
from tunixrt_core.ingest.formats.question_answer import answered
from tunixrt_core.util.kinds import not_text

Field = Literal["prompt", "steps", "final_answer", "reference_answer", "system", "source", "model", "meta", "ignore"]
FIELDS: tuple[Field, ...] = get_args(Field)
_MANY = ("meta", "ignore")
_NEEDED = ("prompt", "final_answer")
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
        for field in _NEEDED:
            if field not in self._columns:
                raise UnreadableFile(f"No column is mapped to {field}. Name one, as in {field}=COLUMN.")

    @classmethod
    def parse(cls, pairs: Iterable[str]) -> ColumnMapping | None:
        """From `field=column` texts; None where there are none. Raises UnreadableFile."""
        fields = fields_of(pairs)
        return cls(fields) if fields else None

    def check(self, rows: Sequence[Mapping[str, Any]], name: str, number: int) -> list[str]:
        """A warning for each column that none of the first rows has, with what comes near it.

        Raises UnreadableFile where one of them is the prompt or the final answer, and where the file is one object and
        the prompt in one of many alike inside of it.
        """
        warnings: list[str] = []
        for column, field in self.fields.items() if rows else ():
            if not any(keys_of(row, column) for row in rows):
                if field in _NEEDED:
                    raise UnreadableFile(f"{name}: {_no_column(column, rows)}")
                warnings.append(f"For {field}, {_no_column(column, rows)}")
            if field == "prompt" and number == 1 and (found := _one_of_many(rows[0], column)):
                where, others, inner = found
                raise UnreadableFile(
                    f"{name}: the column {column!r} is in one of {others:,} objects under {where!r}, and the others "
                    f"would be left out. Read each of them as a row, with --field {where}, and map {inner!r}."
                )
        return warnings

    def matches(self, row: Mapping[str, Any]) -> bool:
        return all(keys_of(row, self._columns[field]) for field in _NEEDED)

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
        raise InvalidTrace(str(column), not_text(value))


def _no_column(column: str, rows: Sequence[Mapping[str, Any]]) -> str:
    seen = sorted({str(key) for row in rows for key in row})
    inner = {name for row in rows for key, value in row.items() for name, _ in nested_in(key, value)}
    alike = [key for key in seen if plain(key) == plain(column)] or get_close_matches(
        column, [*seen, *sorted(inner)], 1
    )
    hint = f" Did you mean {alike[0]!r}?" if alike else ""
    return f"there is no column {column!r} in the first rows.{hint} Columns seen: {', '.join(seen[:20])}."


def _one_of_many(row: Mapping[str, Any], column: str) -> tuple[str, int, str] | None:
    """Where a list of objects with the same keys is that the column goes through, their number, and its name inside."""
    keys = keys_of(row, column) or ()
    value: Any = row
    for i, key in enumerate(keys):
        if isinstance(key, int) and i + 1 < len(keys) and len(value) > 1 and _are_rows(value):
            return ".".join(map(str, keys[:i])), len(value), ".".join(map(str, keys[i + 1 :]))
        value = value[key]
    return None


def _are_rows(values: Sequence[Any]) -> bool:
    """Whether they are objects with the same keys, and no messages."""
    first = set(values[0]) if isinstance(values[0], dict) else set()
    return bool(first) and first.isdisjoint({"role", "from"}) and all(set(value) == first for value in values)
