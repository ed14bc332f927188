"""Tool calls written as calls of Python: `[f(a=1), g(b="x")]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from tunixrt_core.ingest.files.python_text import python_value
from tunixrt_core.ingest.reasoning.calls import read_any_arguments
from tunixrt_core.traces.conversation import Call

_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_NAME = re.compile(r"[^\[\]{}()'\"=,]+")
_CLOSERS = {")": "(", "]": "[", "}": "{"}


def looks_like_calls(text: str) -> bool:
    """Whether a text is a list in brackets that ends with a call."""
    said = text.strip()
    return said.startswith("[") and said.endswith(")]")


def read_python_calls(text: str) -> tuple[Call, ...] | None:
    """The calls that are all of a text, in a list or not; None for any other text.

    Names may hold spaces and dots. Every argument must have a name and a value that JSON can hold.
    """
    said = text.strip()
    if said.startswith("[") and said.endswith("]"):
        said = said[1:-1]
    if (written := _divided(said)) is None or not written:
        return None
    calls = [_call(each) for each in written]
    return tuple(call for call in calls if call is not None) if all(calls) else None


def _call(text: str) -> Call | None:
    name, opened, rest = text.strip().partition("(")
    if not opened or not rest.endswith(")") or not name.strip() or not _NAME.fullmatch(name):
        return None
    if (written := _divided(rest[:-1])) is None:
        return None
    arguments: dict[str, Any] = {}
    for each in written:
        key, equals, value = each.partition("=")
        if not equals or not _NAME.fullmatch(key) or key.strip() in arguments:
            return None
        found = _value(value.strip())
        if found is None:
            return None
        arguments[key.strip()] = found[0]
    try:
        orjson.dumps(arguments)
    except TypeError:  # a set, bytes, an integer beyond 64 bits
        return None
    return Call(name.strip(), read_any_arguments(arguments))


def _value(text: str) -> tuple[Any] | None:
    """The value of a literal of Python or of JSON; None for any other text."""
    if text in _WORDS:
        return (_WORDS[text],)
    if (found := python_value(text)) is not None:
        return (found,)
    try:
        return (orjson.loads(text),)
    except orjson.JSONDecodeError:
        return None


def _divided(text: str) -> list[str] | None:
    """The parts between commas that are in no bracket and no quotes, without blank ones; None where these stay open."""
    cuts = [-1]
    for at in _commas(text):
        if at is None:
            return None
        cuts.append(at)
    parts = [text[a + 1 : b] for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]
    return [part for part in parts if part.strip()]


def _commas(text: str) -> Iterator[int | None]:
    """The places of such commas; None at the end where a bracket or a quote does not fit."""
    opened: list[str] = []
    quote, escaped = "", False
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote and not escaped else quote
            escaped = char == "\\" and not escaped
        elif char in "'\"":
            quote = char
        elif char in "([{":
            opened.append(char)
        elif char in _CLOSERS:
            if not opened or opened.pop() != _CLOSERS[char]:
                yield None
                return
        elif char == "," and not opened:
            yield at
    if opened or quote:
        yield None
