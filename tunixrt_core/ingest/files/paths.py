"""Paths of values in a row, such as `messages[0].content`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# the way to a value from the row that holds it: keys of objects, places in lists
Keys = tuple[str | int, ...]

MAX_DEPTH = 4  # of the names that are offered; one that is written by hand may go deeper
_ITEMS = 4  # of a list
_PLACE = re.compile(r"\[(-?\d+)\]|(-?\d+)(?![^.\[])")


def keys_of(value: Any, name: str) -> Keys | None:
    """The path of `name` in `value`; None where it is missing. `[-1]` is the last of a list.

    A key that is written like a path is a key before it is a path, at every level: `a.b` is the column `a.b` if there
    is one.
    """
    if isinstance(value, Mapping):
        if name in value:
            return (name,)
        for end in _ends(name):
            if (key := name[:end]) in value and (rest := keys_of(value[key], name[end:].removeprefix("."))):
                return (key, *rest)
    elif isinstance(value, list) and (found := _PLACE.match(name)):
        place = int(found[1] or found[2])
        if not -len(value) <= place < len(value):
            return None
        after = name[found.end() :].removeprefix(".")
        rest = keys_of(value[place], after) if after else ()
        return None if rest is None else (place, *rest)
    return None


def value_at(value: Any, keys: Keys) -> Any:
    """The value at a path that `keys_of` found."""
    for key in keys:
        value = value[key]
    return value


def with_value(value: Any, keys: Keys, new: Any) -> Any:
    """A copy with another value there. What is not on the way to it is shared."""
    if not keys:
        return new
    copy = value.copy()
    copy[keys[0]] = with_value(value[keys[0]], keys[1:], new)
    return copy


def without(value: Any, keys: Keys) -> Any:
    """A copy without the value at a path. An object that this leaves empty goes too; in a list null keeps the place."""
    key, rest = keys[0], keys[1:]
    if not isinstance(value, dict | list) or (isinstance(value, dict) and key not in value):
        return value  # it went with another one already
    copy: Any = value.copy()
    left = without(copy[key], rest) if rest else None
    if isinstance(copy, dict) and not left:
        del copy[key]
    else:
        copy[key] = left or None
    return copy


def nested_in(name: str, value: Any, depth: int = 1) -> Iterator[tuple[str, Any]]:
    """The values inside of the column `name` that are not objects or lists of objects, each with its own name.

    To a depth of four, and of each list the first four; names that would be read another way are left out.
    """
    for own, inner in _parts(name, value):
        if depth + 1 < MAX_DEPTH and _is_nest(inner):
            yield from nested_in(own, inner, depth + 1)
        else:
            yield own, inner


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key and not set(key) & set(".[]"):
                yield f"{name}.{key}", inner
    elif isinstance(value, list) and _is_nest(value):
        for i, inner in enumerate(value[:_ITEMS]):
            yield f"{name}[{i}]", inner


def _is_nest(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(item, Mapping) for item in value))


def _ends(name: str) -> Iterator[int]:
    """Where a first key of the name may end, the longest first."""
    return (i for i in range(len(name) - 1, 0, -1) if name[i] in ".[")
