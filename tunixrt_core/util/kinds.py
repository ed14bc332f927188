"""JSON values in the words of messages."""

from __future__ import annotations

from typing import Any

_KINDS = {dict: "an object", list: "a list", tuple: "a list", str: "text", type(None): "null"}
_SHOWN = 30


def kind_of(value: Any) -> str:
    """What a value is: a list, an object, null; a number, true and false with the value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {str(value)[:_SHOWN]}"
    return _KINDS.get(type(value), type(value).__name__)


def not_text(value: Any) -> str:
    """The reason for a value that should be text."""
    is_scalar = isinstance(value, bool | int | float)
    return f"must be text, not {kind_of(value)}. Write it {'in quotes' if is_scalar else 'as one text'}"
