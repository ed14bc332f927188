"""Rows made of parts: messages of one conversation, log records of one span."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from tunixrt_core.ingest.files.rows import RawRow, parsed

IsMessage = Callable[[Any], bool]
_EVENT_NAMES = ("event_name", "eventName")
_SPAN_IDS = ("span_id", "spanId")
_TRACE_IDS = ("trace_id", "traceId")
_TREE_ID = "message_tree_id"
_LAST_EVENT = "gen_ai.choice"
_MESSAGE_EVENTS = frozenset(
    {_LAST_EVENT, *(f"gen_ai.{role}.message" for role in ("system", "user", "assistant", "tool"))}
)


def is_list_of_messages(row: RawRow, is_message: IsMessage) -> bool:
    """Whether a row is no object but a list of messages."""
    if row.data is None or not row.data.lstrip().startswith(b"["):
        return False
    try:
        value = orjson.loads(row.data)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, list) and bool(value) and all(map(is_message, value))


def as_conversations(rows: Iterator[RawRow], is_message: IsMessage) -> Iterator[RawRow]:
    """The rows, each list of messages as an object with `messages`, whose text is that of the file."""
    for row in rows:
        yield _holding([row], row.data or b"") if is_list_of_messages(row, is_message) else row


def as_one_conversation(rows: Iterator[RawRow]) -> Iterator[RawRow]:
    """One row with all rows as its messages."""
    held = list(rows)
    yield _holding(held, b"[" + b", ".join(row.data or b"" for row in held) + b"]")


def _holding(rows: Sequence[RawRow], messages: bytes) -> RawRow:
    return RawRow(rows[0].line, b'{"messages": ' + messages + b"}", None)


def is_event(row: Mapping[str, Any]) -> bool:
    """Whether a row is one message of a span, as OpenTelemetry's first conventions log it."""
    return _first(row, _EVENT_NAMES) in _MESSAGE_EVENTS and _first(row, _SPAN_IDS) is not None


def as_spans(rows: Iterator[RawRow]) -> Iterator[RawRow]:
    """The rows, the events of each span together as one, in their order. A span ends with its choice."""
    spans: dict[Any, list[RawRow]] = {}
    for row in map(parsed, rows):
        held = row.object
        if held is None or not is_event(held):
            yield row
            continue
        identity = _first(held, _TRACE_IDS), _first(held, _SPAN_IDS)
        spans.setdefault(identity, []).append(row)
        if _first(held, _EVENT_NAMES) == _LAST_EVENT:
            yield _span(spans.pop(identity))
    yield from map(_span, spans.values())


def _span(rows: Sequence[RawRow]) -> RawRow:
    """A span whose `events` are these log records, with their own text."""
    last = rows[-1].object or {}
    own = {name: last[name] for name in (*_SPAN_IDS, *_TRACE_IDS) if name in last}
    head = orjson.dumps(own | {"attributes": []})
    events = b", ".join(row.bytes for row in rows)
    return RawRow(rows[0].line, head[:-1] + b', "events": [' + events + b"]}", None)


def as_trees(rows: Iterator[RawRow], is_node: Callable[[Mapping[str, Any]], bool]) -> Iterator[RawRow]:
    """The rows, consecutive messages of one tree together as one, with their own text."""
    held: list[RawRow] = []
    for row in map(parsed, rows):
        found = row.object
        if found is None or not is_node(found):
            yield from _tree(held)
            held = []
            yield row
            continue
        if held and (held[0].object or {})[_TREE_ID] != found[_TREE_ID]:
            yield from _tree(held)
            held = []
        held.append(row)
    yield from _tree(held)


def _tree(rows: Sequence[RawRow]) -> Iterator[RawRow]:
    if rows:
        head = orjson.dumps({_TREE_ID: (rows[0].object or {})[_TREE_ID]})
        messages = b", ".join(row.bytes for row in rows)
        yield RawRow(rows[0].line, head[:-1] + b', "tree_messages": [' + messages + b"]}", None)


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)
