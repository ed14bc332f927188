"""Columns of an eval file: prompt, expected answer, groups."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tunixrt_core.errors import InvalidTrace, UnreadableFile
from tunixrt_core.ingest.files.parse import Number
from tunixrt_core.ingest.files.paths import keys_of, value_at, without
from tunixrt_core.ingest.formats.fields import object_in
from tunixrt_core.ingest.reasoning.split import split_completion
from tunixrt_core.traces.conversation import NO_CONVERSATION, Conversation
from tunixrt_core.util.hashing import check_text, content_hash

# in order of preference
PROMPTS = ("prompt", "question", "problem", "query", "input")
EXPECTED = ("expected_answer", "reference_answer", "expected", "reference", "target", "answer", "solution")
IDS = ("id", "row_id", "uid", "uuid", "unique_id", "example_id", "question_id", "problem_id", "task_id")
SYSTEMS = ("system", "system_prompt")
MAX_GROUP_CHARS = 80  # longer values are free text, not groups
_WORKED = ("answer", "solution")  # may hold a worked solution with the answer at its end
_NESTED = ("meta", "metadata")
# the fields that a column can be mapped to, and their names in EvalColumns
_FIELDS = {"prompt": "prompt", "expected_answer": "expected", "id": "id", "system": "system"}
_KNOWN = frozenset({*PROMPTS, *EXPECTED, *IDS, *SYSTEMS})


@dataclass(frozen=True, slots=True)
class Asked:
    """The content of a row. `id` is None where the file gives none; `scalars` are its other values, as text;
    `conversation` holds the turns around the prompt.
    """

    id: str | None
    prompt: str
    reference: str
    system: str | None
    scalars: Mapping[str, str]
    conversation: Conversation = NO_CONVERSATION

    @property
    def own_id(self) -> str:
        """The id, or a hash of the content: the same in every file."""
        if self.id is not None:
            return self.id
        system = {} if self.system is None else {"system": self.system}
        talk = self.conversation.to_dict()
        return content_hash({"prompt": self.prompt, "reference": self.reference, **system, **talk})


@dataclass(frozen=True, slots=True)
class EvalColumns:
    """The columns by their names in the file, nested ones by their path; None for a missing column."""

    prompt: str
    expected: str
    id: str | None = None
    system: str | None = None

    def to_dict(self) -> dict[str, str]:
        found = {"prompt": self.prompt, "expected_answer": self.expected, "id": self.id, "system": self.system}
        return {field: name for field, name in found.items() if name is not None}

    @property
    def worked(self) -> bool:
        """Whether the column usually holds a whole solution."""
        return plain_name(self.expected) == "solution"

    def read(self, row: Mapping[str, Any]) -> Asked:
        """The content of the row. Raises InvalidTrace at the faulty column."""
        prompt = _at(row, self.prompt)
        if prompt is not None and (not isinstance(prompt, str) or isinstance(prompt, Number)):
            raise InvalidTrace(self.prompt, f"must be text, not {_kind(prompt)}")
        return Asked(
            None if self.id is None else scalar_text(row, self.id),
            scalar_text(row, self.prompt),
            self._reference(row),
            None if self.system is None or not _at(row, self.system) else scalar_text(row, self.system),
            scalars(self._rest(row)),
        )

    def _rest(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The remaining values, for grouping."""
        left: Any = dict(row)
        for name in self.to_dict().values():
            if keys := keys_of(row, name):
                left = without(left, keys)
        return left or {}

    def _reference(self, row: Mapping[str, Any]) -> str:
        """The expected answer. For a worked solution it is the final answer as in an import: `####`, a box."""
        given = scalar_text(row, self.expected)
        if plain_name(self.expected) not in _WORKED:
            return given
        split = split_completion(given, self.expected)
        if not split.final_answer.strip():
            raise InvalidTrace(self.expected, "holds no answer after its marks")
        return given if split.rule.startswith("whole/") else split.final_answer


def find_columns(rows: Sequence[Mapping[str, Any]]) -> EvalColumns | None:
    """The columns by their usual names, in any case, where a row has a value; None where no column is a prompt.

    Without a column of answers, `expected_answer` is reported as missing in every row.
    """
    found = _usual(rows)
    return found if found.prompt and any(isinstance(row.get(found.prompt), str) for row in rows) else None


def _usual(rows: Sequence[Mapping[str, Any]]) -> EvalColumns:
    """The columns by their usual names; the prompt is empty where none has one."""
    names: dict[str, str] = {}
    for row in rows:
        for name, value in row.items():
            if value is not None:
                names.setdefault(plain_name(name), name)
    prompt, expected = _first(names, PROMPTS) or "", _first(names, EXPECTED) or "expected_answer"
    return EvalColumns(prompt, expected, _first(names, IDS), _first(names, SYSTEMS))


def told_columns(told: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> EvalColumns:
    """The columns as mapped (column -> field); fields without a mapping take the columns of their usual names.

    Raises UnreadableFile for a field that is unknown or mapped twice, a column that no row has, and where no prompt is
    found.
    """
    seen: dict[str, str] = {}
    for column, field in told.items():
        if field not in _FIELDS:
            raise UnreadableFile(f"There is no field {field!r} for column {column!r}. Use: {', '.join(_FIELDS)}.")
        if field in seen:
            raise UnreadableFile(f"The columns {seen[field]!r} and {column!r} are both mapped to {field}. Map one.")
        if not any(keys_of(row, column) for row in rows):
            keys = ", ".join(sorted({str(key)[:40] for row in rows for key in row})[:20]) or "none"
            raise UnreadableFile(f"There is no column {column!r} in the first rows. Keys seen: {keys}.")
        seen[field] = column
    found = replace(_usual(rows), **{_FIELDS[field]: column for field, column in seen.items()})
    if not found.prompt:
        raise UnreadableFile("No column is mapped to prompt. Name one, as in prompt=COLUMN.")
    return found


def _at(row: Mapping[str, Any], name: str) -> Any:
    keys = keys_of(row, name)
    return None if keys is None else value_at(row, keys)


def scalar_text(row: Mapping[str, Any], name: str) -> str:
    """The text, number or Boolean in a column, as text. Raises InvalidTrace where there is none."""
    value = _at(row, name)
    if value is None:
        raise InvalidTrace(name, "is missing")
    if isinstance(value, float):
        reason = f"is the floating-point number {value}, of which Parquet keeps no text; write the column as text"
        raise InvalidTrace(name, reason)
    if (text := _scalar(value)) is None:
        raise InvalidTrace(name, f"must be text, a number, true or false, not {_kind(value)}")
    if not text.strip():
        raise InvalidTrace(name, "is empty")
    try:
        check_text(text, name)
    except ValueError as error:
        raise InvalidTrace(name, str(error).removeprefix(f"{name}: ")) from None
    return text


def scalars(row: Mapping[str, Any], known: Collection[str] = _KNOWN) -> dict[str, str]:
    """Every other text, number and Boolean of a row, and of its `metadata`, as text."""
    return dict(_others(row, known))


def id_of(row: Mapping[str, Any]) -> str | None:
    """The value of the row's id column; None where it has none."""
    names = {plain_name(name): name for name, value in row.items() if _scalar(value)}
    found = _first(names, IDS)
    return None if found is None else _scalar(row[found])


def plain_name(name: str) -> str:
    """The name of a column for comparison: `Expected Answer` is `expected_answer`."""
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def _others(row: Mapping[str, Any], known: Collection[str]) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if plain_name(name) in _NESTED and isinstance(nested := object_in(row, name), Mapping):
            yield from ((inner, text) for inner, text in _others(nested, known) if inner not in row)
        elif plain_name(name) not in known and (text := _scalar(value)):
            yield name, text[: MAX_GROUP_CHARS + 1]  # enough to see that it is too long, without keeping all of it


def _scalar(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _first(names: Mapping[str, str], wanted: Sequence[str]) -> str | None:
    return next((names[name] for name in wanted if name in names), None)


def _kind(value: Any) -> str:
    kinds = {list: "a list", dict: "an object", bool: "true or false", int: "a number", float: "a number"}
    return "a number" if isinstance(value, Number) else kinds.get(type(value), type(value).__name__)
