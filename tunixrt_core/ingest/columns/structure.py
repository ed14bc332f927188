"""Usual names of columns, and lists that cells hold as JSON or Python text."""

from __future__ import annotations

from typing import Any

import orjson

from tunixrt_core.ingest.columns.plans import Arranged, Form, Plan
from tunixrt_core.ingest.files.python_text import python_value
from tunixrt_core.ingest.reasoning.turn import role_of
from tunixrt_core.traces.conversation import ROLES

# keys of a role, misspelt or not; those that name other things too count where they hold a known role
_STRONG = frozenset({"role", "from", "speaker"})
_PAIRS = (
    {"human", "assistant"},
    {"user", "assistant"},
    {"human", "bot"},
    {"input", "output"},
    {"system", "input", "output"},
)
_LIST_BEGINS = ("[", " ", "\n", "\t", "\r")


def with_usual_names(row: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """The row under the usual names of its columns, with lists in place of their text; the row itself if unchanged."""
    if plan.names:
        usual = {name: new for new, name in plan.names.items()}
        row = {usual.get(name, name): value for name, value in row.items()}
    for name in plan.structured:
        value = row.get(name)
        # the first character tells it of most texts, which are long
        if (
            isinstance(value, str)
            and value[:1] in _LIST_BEGINS
            and (found := structured(value))
            and _is_meant(name, found)
        ):
            row = {**row, name: found}
    for name in plan.chats:
        value = row.get(name)
        found = structured(value) if isinstance(value, str) else value
        if _is_chat(found):
            row = {"messages" if key == name else key: inner for key, inner in row.items()} | {"messages": found}
            break
    return row


def structured(text: str) -> list[Any] | None:
    """The list that a text holds as JSON, or as Python writes it; None where it holds none."""
    start = text.lstrip()
    if not start.startswith("[") or not text.rstrip().endswith("]"):
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _literal(text)
    return value if isinstance(value, list) else None


def _literal(text: str) -> Any:
    value = python_value(text)
    try:
        orjson.dumps(value)
    except TypeError:
        return None
    return value


def _is_meant(name: str, found: list[Any]) -> bool:
    """Whether the list is what this column holds in a format; a prompt of text may well begin with `[`."""
    if name in ("prompt", "completion", "chosen", "rejected", "messages", "conversations"):
        return _is_chat(found)
    return bool(found) and all(isinstance(item, str | int | float | bool | dict) for item in found)


def _is_chat(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(_is_message, value))


def _is_message(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    return not _STRONG.isdisjoint(item) or item.keys() in _PAIRS or role_of(item) in ROLES


def exact(row: dict[str, Any], plan: Plan, form: Form) -> Arranged | None:
    """For formats that name every key: other spellings, and lists that are written as text."""
    if form.NAME != "mapping":
        found = with_usual_names(row, plan._replace(chats=()))  # `turns` of a trace are its own
        return None if found is row else Arranged(found, plan.names)
    made = row
    for name in form.columns(row):
        head = name.split(".")[0].split("[")[0]
        value = row.get(head)
        if head != name and name not in row and isinstance(value, str) and (listed := structured(value)) is not None:
            made = {**made, head: listed}
    return None if made is row else Arranged(made)
