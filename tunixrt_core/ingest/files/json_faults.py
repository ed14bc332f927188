"""What is wrong with a text that is no JSON, in words that say what to do."""

from __future__ import annotations

import json
import re

from tunixrt_core.ingest.files.python_text import python_value

_SHOWN = 40
_TRAILING = re.compile(r",\s*[}\]]")
_TYPOGRAPHIC = re.compile(r"[{,\[]\s*[“”„‘’]")
_UNQUOTED = re.compile(r"[{,]\s*[A-Za-z_]\w*\s*:")


def json_fault(text: str, error: json.JSONDecodeError) -> str:
    """Why a row is not valid JSON, and how to make it so."""
    if "BOM" in error.msg:
        return "not valid JSON: a byte order mark at column 1. Remove it"
    at = f"column {error.pos + 1:,}"
    rest = text[error.pos :].strip()
    if error.msg == "Extra data":
        if rest == ",":
            return (
                f"not valid JSON: there is a comma after the object at {at}. Remove it, or put all rows between [ and "
                "], as one JSON list"
            )
        return (
            f"not valid JSON: there is more after the object, from {at}: {_shown(rest)}. Write each row on its own line"
        )
    # the parser says the place of the comma, and before Python 3.13 that of the bracket after it
    comma = text.rfind(",", 0, error.pos + 1)
    if comma >= 0 and (found := _TRAILING.match(text, comma)) and error.pos < found.end():
        return (
            f"not valid JSON: there is a comma before the end of an object or a list at column {comma + 1:,}. Remove it"
        )
    if _is_python(text):
        return (
            "not valid JSON: it is a Python dict, with single quotes, True or None. Write the row with json.dumps, not "
            "with str or print"
        )
    if _TYPOGRAPHIC.search(text):
        return f'not valid JSON: typographic quotes at {at}. Write straight ones, "'
    if _UNQUOTED.match(text[max(0, error.pos - 1) :]):
        return f"not valid JSON: a key without quotes at {at}. Write keys in double quotes"
    if error.pos >= len(text.rstrip()) or "Unterminated" in error.msg:
        return (
            f"not valid JSON: the row breaks off ({_lowered(error.msg)} at {at}). Write the whole row on one line; a "
            "line end inside text is \\n"
        )
    return (
        f"not valid JSON: {_lowered(error.msg)} at {at}, where the row reads {_shown(rest)}. Write it with a JSON "
        "library"
    )


def not_an_object(value: object) -> str:
    """Why a JSON value is no row."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        return "is a JSON text that holds JSON: the row was encoded twice. Decode it once more, or encode it once"
    kinds = {list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false", type(None): "null"}
    return f'is {kinds.get(type(value), "not an object")}; each row must be a JSON object, such as {{"prompt": ...}}'


def _is_python(text: str) -> bool:
    return text.lstrip().startswith("{") and isinstance(python_value(text.strip().removesuffix(",")), dict)


def _shown(text: str) -> str:
    shown = text[:_SHOWN].encode("utf-8", "replace").decode()
    return f"`{shown}…`" if len(text) > _SHOWN else f"`{shown}`"


def _lowered(message: str) -> str:
    plain = message.removesuffix(" at").removesuffix(" starting")
    return plain[:1].lower() + plain[1:]
