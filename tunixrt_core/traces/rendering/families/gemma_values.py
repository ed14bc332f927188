"""Values as Gemma 4 writes them: JSON with its own quotes, bare and sorted keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

QUOTE = '<|"|>'
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORDS = {"true": True, "false": False, "null": None}
_DEEPEST = 100  # of values within values


def quoted(text: str) -> str:
    return f"{QUOTE}{text}{QUOTE}"


def by_name(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The entries by key, upper and lower case alike, as `dictsort` of chat templates."""
    return sorted(values.items(), key=lambda entry: entry[0].lower())


def write_value(value: Any, *, bare_keys: bool) -> str:
    """The text of a JSON value; `bare_keys`: without quotes around keys, as in calls and results."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return f"{{{write_entries(value, bare_keys=bare_keys)}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(write_value(each, bare_keys=bare_keys) for each in value)}]"
    return str(value)


def write_entries(values: Mapping[str, Any], *, bare_keys: bool) -> str:
    """The entries of an object, without its braces."""
    return ",".join(
        f"{key if bare_keys else quoted(key)}:{write_value(value, bare_keys=bare_keys)}"
        for key, value in by_name(values)
    )


def read_entries(text: str) -> dict[str, Any] | None:
    """The object whose text with its braces this is; None where it is none."""
    try:
        found, end = _object(text, 0, 0)
    except (ValueError, IndexError):
        return None
    return found if end == len(text) else None


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    """A value and the place behind it. Raises ValueError for what is none, IndexError at the end of the text."""
    if depth > _DEEPEST:
        raise ValueError("too deep")
    if text.startswith(QUOTE, at):
        end = text.index(QUOTE, at + len(QUOTE))
        return text[at + len(QUOTE) : end], end + len(QUOTE)
    if text[at] == "{":
        return _object(text, at, depth)
    if text[at] == "[":
        return _list(text, at, depth)
    for word, value in _WORDS.items():
        if text.startswith(word, at):
            return value, at + len(word)
    if (number := _NUMBER.match(text, at)) is None:
        raise ValueError("no value")
    return (float if set(number[0]) & set(".eE") else int)(number[0]), number.end()


def _object(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    at = _opened(text, at, "{")
    while text[at] != "}":
        if text.startswith(QUOTE, at):
            key, at = _value(text, at, depth)
        else:
            end = text.index(":", at)
            key, at = text[at:end], end
        found[key], at = _value(text, _opened(text, at, ":"), depth + 1)
        at = _next(text, at, "}")
    return found, at + 1


def _list(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    at = _opened(text, at, "[")
    while text[at] != "]":
        value, at = _value(text, at, depth + 1)
        found.append(value)
        at = _next(text, at, "]")
    return found, at + 1


def _opened(text: str, at: int, mark: str) -> int:
    if text[at] != mark:
        raise ValueError(f"no {mark}")
    return at + 1


def _next(text: str, at: int, end: str) -> int:
    """The place of the next entry, or of the end."""
    if text[at] == end:
        return at
    at = _opened(text, at, ",")
    if text[at] == end:
        raise ValueError("nothing behind a comma")
    return at
