"""Reader of eval files, by columns or by format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from tunixrt_core.datasets.eval_files.columns import Asked, EvalColumns, find_columns, id_of, scalars, told_columns
from tunixrt_core.errors import InvalidTrace, UnreadableFile
from tunixrt_core.ingest.columns.literals import exact_row
from tunixrt_core.ingest.columns.names import is_usual_name
from tunixrt_core.ingest.files.containers.wrapped import Unwrapping
from tunixrt_core.ingest.files.opening import MAX_DOCUMENT_BYTES, raw_rows
from tunixrt_core.ingest.files.parse import BadRow
from tunixrt_core.ingest.files.rejects import Container, Rejects
from tunixrt_core.ingest.files.rows import RawRow, parsed
from tunixrt_core.ingest.formats import alpaca, gsm8k, question_answer, trace, tunix_sft
from tunixrt_core.ingest.formats.detect import FORMATS, Format, detect_format, format_named
from tunixrt_core.ingest.formats.fields import Options
from tunixrt_core.ingest.formats.verdicts import judged
from tunixrt_core.ingest.reader import DETECT_ROWS
from tunixrt_core.traces.conversation import calls_text
from tunixrt_core.traces.scores import ScoredTrace, is_negative
from tunixrt_core.util.files.regular import require_regular

COLUMNS = "columns"  # the name of the format of files that are read by the names of their columns
# formats whose own reading of a prompt and an answer is right where their columns have the usual names too
_EXACT_FORMATS = frozenset({trace.NAME, tunix_sft.NAME, gsm8k.NAME, alpaca.NAME})
_NO_REASONING = (None, question_answer.NAME)


@dataclass(frozen=True, slots=True)
class EvalFileReader:
    """Iterate once over the rows of an eval file: each with what it asks, or its faults.

    `columns` is field -> column, empty where `format` is one that can be imported. Iteration raises UnreadableFile
    where the file breaks off.
    """

    container: Container
    format: str
    columns: Mapping[str, str]
    _reading: _Reading
    _rows: Iterator[RawRow]

    def __iter__(self) -> Iterator[tuple[RawRow, list[Asked | InvalidTrace]]]:
        for row in self._rows:
            yield row, list(self._reading.read(row))


def read_eval_rows(
    source: Path | BinaryIO,
    name: str,
    *,
    rejects: Rejects | None = None,
    columns: Mapping[str, str] | None = None,
) -> EvalFileReader:
    """Open an eval file and find out how its rows are read. `columns` (column -> field) names columns by hand.

    Raises UnreadableFile where the file cannot be read, or asks nothing.
    """
    if isinstance(source, Path):
        require_regular(source)
    _, container, raw = raw_rows(source, name, is_usual_name, rejects=rejects, max_line_bytes=MAX_DOCUMENT_BYTES)
    rows = _opened(name, raw)
    first = list(islice(rows, DETECT_ROWS))
    reading = _told(name, first, columns) if columns else _found(name, first)
    named = reading.columns.to_dict() if reading.columns else {}
    return EvalFileReader(container, reading.name, named, reading, chain(first, rows))


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the rows of a file are understood: by the names of their columns, or by a format."""

    columns: EvalColumns | None
    form: Format | None

    @property
    def name(self) -> str:
        return self.form.NAME if self.form else COLUMNS

    def read(self, row: RawRow) -> Iterator[Asked | InvalidTrace]:
        """What a row asks, or its faults."""
        exact, plain = exact_row(row), parsed(row).value
        if isinstance(exact, BadRow):
            yield InvalidTrace(exact.field, exact.reason)
            return
        try:
            if self.columns is not None:
                yield self.columns.read(exact)
            elif self.form is not None:
                # a number that is too large for a format is none for a column of text
                yield from _asked(self.form, exact if isinstance(plain, BadRow) or plain is None else plain, exact)
        except InvalidTrace as fault:
            yield fault


def _asked(form: Format, plain: Mapping[str, Any], exact: Mapping[str, Any]) -> Iterator[Asked | InvalidTrace]:
    items = judged(form.read(dict(plain), Options()), form.NAME)
    fields = form.columns(dict(plain))
    known = {name for name, field in fields.items() if field not in ("meta", "source", "model")}
    others = scalars(exact, known)
    given = id_of(exact) if len(items) == 1 else None
    for item in items:
        if isinstance(item, InvalidTrace):
            yield item
            continue
        made = item.trace if isinstance(item, ScoredTrace) else item
        if made.reference_answer is None and isinstance(item, ScoredTrace) and is_negative(item.scores):
            if len(items) == 1:
                yield InvalidTrace("reference_answer", "is missing, and the row calls its own answer wrong. Add it")
            continue
        talk = made.conversation
        expected = made.reference_answer or calls_text(talk.calls) or made.final_answer
        yield Asked(given, made.prompt, expected, made.system, others, talk.without_calls())


def _objects(name: str, first: list[RawRow]) -> list[dict[str, Any]]:
    rows = [found for row in first if (found := parsed(row).object) is not None]
    if not rows:
        raise UnreadableFile(f"{name}: {_why_nothing(first)}")
    return rows


def _told(name: str, first: list[RawRow], columns: Mapping[str, str]) -> _Reading:
    try:
        return _Reading(told_columns(columns, _objects(name, first)), None)
    except UnreadableFile as error:
        raise UnreadableFile(f"{name}: {str(error).removeprefix(f'{name}: ')}") from None


def _found(name: str, first: list[RawRow]) -> _Reading:
    rows = _objects(name, first)
    columns, detected = find_columns(rows), None
    with suppress(UnreadableFile):  # a file of other columns has no format, and needs none
        detected = detect_format(rows).format
    if columns is not None and _by_columns(columns, rows, detected):
        return _Reading(columns, None)
    if detected is None:
        keys = ", ".join(sorted({str(key)[:40] for row in rows for key in row})[:20]) or "none"
        raise UnreadableFile(
            f"{name}: name the columns `prompt` and `expected_answer`, or write rows of a format that can be imported. "
            f"Keys seen: {keys}."
        )
    return _Reading(None, format_named(detected))


def _by_columns(columns: EvalColumns, rows: list[dict[str, Any]], detected: str | None) -> bool:
    answered = any(row.get(columns.expected) is not None for row in rows)
    if columns.worked or not answered:
        return detected is None or (answered and detected in _NO_REASONING)
    return detected not in _EXACT_FORMATS


def _opened(name: str, rows: Iterator[RawRow]) -> Iterator[RawRow]:
    """The rows, and in place of an object that is no row but holds them, those."""
    first = list(islice(rows, 2))
    value = parsed(first[0]).object if first and first[0].value is None else None
    unwrapping = Unwrapping(name, _is_row)
    if value is None or not unwrapping.applies(value):
        return chain(first, rows)
    return unwrapping.rows(chain(first, rows), is_one=len(first) == 1)


def _is_row(value: dict[str, Any]) -> bool:
    return find_columns([value]) is not None or any(form.matches(value) for form in FORMATS.values())


def _why_nothing(first: list[RawRow]) -> str:
    for row in first:
        if isinstance(found := parsed(row).value, BadRow):
            return f"no row could be read. Line {row.line}: {found.field + ': ' if found.field else ''}{found.reason}."
    return "it is empty."
