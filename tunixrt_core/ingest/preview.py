"""Preview and diagnosis of a file, without storing anything."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import orjson

from tunixrt_core.ingest.files.paths import keys_of, nested_in, value_at
from tunixrt_core.ingest.files.rows import RawRow, parsed
from tunixrt_core.ingest.formats.detect import Detected
from tunixrt_core.ingest.reader import AnyReader
from tunixrt_core.ingest.report import (
    MAX_ERRORS_KEPT,
    Column,
    Diagnosis,
    Preview,
    PreviewRow,
    Read,
    Reason,
    RowError,
    Twin,
)
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

SAMPLE_ROWS = 200
_SAMPLE_BYTES = 16 << 20
_SHOWN = 5
_NAMED = 20  # rejected rows
_SAMPLE_CHARS = 120
_SAMPLES = 2
_MAX_NESTED = 100
_MAX_TWINS = 1_000
_MAX_REASONS = 200
_NUMBER = re.compile(r"\d[\d,]*")
_OTHER = ("", "of other kinds")


def preview_of(reader: AnyReader) -> Preview:
    """What the first 200 rows, or 16 MiB of them, would become; the first five in full.

    The first twenty errors are told, of any of these rows.
    """
    shown: list[PreviewRow] = []
    rejected: list[RowError] = []
    columns: dict[str, Column] = {}
    nested: dict[str, Column] = {}
    good = bad = size = 0
    whole = True
    for row, found in reader.by_row():
        if good + bad >= SAMPLE_ROWS or size >= _SAMPLE_BYTES:
            whole = False
            break
        size += len(row.data or b"")
        made = _preview_row(row, list(found))
        good, bad = good + (not made.errors), bad + bool(made.errors)
        rejected += made.errors[: _NAMED - len(rejected)]
        if len(shown) < _SHOWN or (made.errors and all(not one.errors for one in shown)):
            shown.append(made)
        _note_columns(reader, row, columns, nested)
    found_as = _detected(reader)
    return Preview(
        file=reader.name,
        container=reader.container,
        format=reader.format,
        sure=found_as.sure,
        why=found_as.why,
        columns=tuple(columns.values()),
        nested=tuple(nested.values()),
        rows=tuple(shown),
        good=good,
        bad=bad,
        whole=whole,
        warnings=reader.warnings.found,
        notes=tuple(reader.notes),
        rejected=tuple(rejected),
    )


class _Reasons:
    """A histogram of reasons, with a limit on the number of kinds."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[int]] = {}

    def add(self, error: RowError) -> None:
        key = (re.sub(r"\[\d+\]", "[]", error.field), _NUMBER.sub("N", error.reason)[:200])
        if key not in self._found and len(self._found) >= _MAX_REASONS:
            key = _OTHER
        self._found.setdefault(key, [0, error.line])[0] += 1

    def sorted(self) -> tuple[Reason, ...]:
        found = (Reason(*key, count, first) for key, (count, first) in self._found.items())
        return tuple(sorted(found, key=lambda reason: -reason.times))


def diagnose(reader: AnyReader, on_row: Callable[[], object] | None = None) -> Diagnosis:
    """Read all of it. `on_row` is called for each row, and may raise to end it."""
    began = time.perf_counter()
    seen: dict[bytes, int] = {}
    reasons, errors, twins = _Reasons(), list[RowError](), list[Twin]()
    read = duplicate = rejected = scores = 0
    for line, item in _items(reader, on_row):
        read += 1
        if isinstance(item, RowError):
            rejected += 1
            reasons.add(item)
            if len(errors) < MAX_ERRORS_KEPT:
                errors.append(item)
            continue
        if isinstance(item, ScoredTrace):
            scores += len(item.scores)
        key = bytes.fromhex(_trace(item).content_hash[:32])  # half of the hash tells them apart as well
        first = seen.setdefault(key, line)
        if len(seen) + duplicate + rejected < read:
            duplicate += 1
            if len(twins) < _MAX_TWINS:
                twins.append(Twin(line, first))
    found_as = _detected(reader)
    return Diagnosis(
        file=reader.name,
        container=reader.container,
        format=reader.format,
        sure=found_as.sure,
        why=found_as.why,
        rows=reader.rows,
        read=read,
        unique=len(seen),
        duplicate=duplicate,
        rejected=rejected,
        scores=scores,
        reasons=reasons.sorted(),
        errors=tuple(errors),
        twins=tuple(twins),
        seconds=time.perf_counter() - began,
        warnings=reader.warnings.found,
        notes=tuple(reader.notes),
    )


def _items(reader: AnyReader, on_row: Callable[[], object] | None) -> Iterator[tuple[int, Read]]:
    for row, found in reader.by_row():
        if on_row is not None:
            on_row()
        for item in found:
            yield row.line, item


def _preview_row(row: RawRow, found: list[Read]) -> PreviewRow:
    made = [item for item in found if not isinstance(item, RowError)]
    return PreviewRow(
        row.line,
        tuple(_trace(item).to_dict() for item in made),
        sum(len(item.scores) for item in made if isinstance(item, ScoredTrace)),
        tuple(item for item in found if isinstance(item, RowError)),
    )


def _note_columns(reader: AnyReader, row: RawRow, columns: dict[str, Column], nested: dict[str, Column]) -> None:
    value = parsed(row).object
    if value is None:
        return
    fields = reader.columns_of(value)
    for name, content in value.items():
        _note(name, content, fields.get(name, "meta"), columns)
        for inner, part in nested_in(name, content):
            if inner not in value and (inner in nested or inner in fields or len(nested) < _MAX_NESTED):
                _note(inner, part, fields.get(inner, ""), nested)
    for name in fields:  # one that is deeper than those that are offered
        if name not in columns and name not in nested and (keys := keys_of(value, name)):
            _note(name, value_at(value, keys), fields[name], nested)


def _note(name: str, content: object, field: str, columns: dict[str, Column]) -> None:
    known = columns.get(name)
    if known is not None and len(known.samples) == _SAMPLES:
        return
    text = content if isinstance(content, str) else "" if content is None else _json(content)
    text, before = text[:_SAMPLE_CHARS], known.samples if known else ()
    # a field is what the first row with a value makes of it
    samples = (*before, text) if text and text not in before else before
    columns[name] = Column(name, known.field if known and before else field, samples)


def _json(value: object) -> str:
    try:
        return orjson.dumps(value, default=repr).decode()
    except TypeError:  # an integer beyond 64 bits
        return repr(value)


def _detected(reader: AnyReader) -> Detected:
    return reader.detected or Detected(reader.format, "high", "as you said")


def _trace(item: Trace | ScoredTrace) -> Trace:
    return item.trace if isinstance(item, ScoredTrace) else item
