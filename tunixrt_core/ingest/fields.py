"""Help for format modules: read a row's values, and name errors by the row's own keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tunixrt_core.errors import InvalidTrace


def text(row: Mapping[str, Any], key: str) -> str:
    """The text under `key`. Raises InvalidTrace where it is missing or not text."""
    if key not in row:
        raise InvalidTrace(key, "is missing")
    value = row[key]
    if not isinstance(value, str):
        raise InvalidTrace(key, f"must be text, not {type(value).__name__}")
    return value


@contextmanager
def named_as(names: Mapping[str, str]) -> Iterator[None]:
    """Turn the trace's field names in an InvalidTrace into the row's: `steps[2].content` -> `trace_steps[2]`."""
    try:
        yield
    except InvalidTrace as error:
        for field, name in names.items():
            if error.field == field or error.field.startswith((f"{field}[", f"{field}.")):
                rest = error.field[len(field) :].removesuffix(".content")
                raise InvalidTrace(name + rest, error.reason) from None
        raise
