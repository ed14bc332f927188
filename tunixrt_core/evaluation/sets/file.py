"""Eval sets from a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from tunixrt_core.errors import InvalidEvaluation, InvalidTrace, UnreadableFile
from tunixrt_core.evaluation.sets.columns import Asked, EvalColumns, find_columns, id_of, scalars, told_columns
from tunixrt_core.evaluation.sets.eval_set import EvalRow, EvalSet, rows_hash
from tunixrt_core.evaluation.sets.report import EvalFileReport, Kept, groups_of
from tunixrt_core.evaluation.sets.setup import EvalSetRef
from tunixrt_core.ingest.files.document import rows_under
from tunixrt_core.ingest.files.parse import BadRow
from tunixrt_core.ingest.files.rejects import Rejects
from tunixrt_core.ingest.files.rows import RawRow, parsed
from tunixrt_core.ingest.formats import alpaca, gsm8k, question_answer, trace, tunix_sft
from tunixrt_core.ingest.formats.detect import Format, detect_format, format_named
from tunixrt_core.ingest.formats.fields import Options
from tunixrt_core.ingest.literals import exact_row
from tunixrt_core.ingest.reader import DETECT_ROWS, MAX_DOCUMENT_BYTES, raw_rows
from tunixrt_core.traces.scores import ScoredTrace

COLUMNS = "columns"  # the name of the format of files that are read by the names of their columns
_ENVELOPES = ("rows", "examples")
# formats whose own reading of a prompt and an answer is right where their columns have the usual names too
_EXACT_FORMATS = frozenset({trace.NAME, tunix_sft.NAME, gsm8k.NAME, alpaca.NAME})
_NO_REASONING = (None, question_answer.NAME)


def file_set(
    path: Path,
    limit: int | None = None,
    *,
    allow_rejects: bool = False,
    columns: Mapping[str, str] | None = None,
) -> EvalSet:
    """The rows of a file, in order, at most `limit`; all of it is checked. `columns` as in `read_eval_file`.

    Raises UnreadableFile where it cannot be read, InvalidEvaluation where a row is bad (unless `allow_rejects`) or
    none is left.
    """
    found, report = read_eval_file(path, limit=limit, columns=columns)
    if not allow_rejects:
        report.check()
    if not found.rows:
        raise InvalidEvaluation(f"{report.file} holds no row that can be asked.")
    return found


def read_eval_file(
    source: Path | BinaryIO,
    *,
    name: str | None = None,
    limit: int | None = None,
    rejects: Rejects | None = None,
    columns: Mapping[str, str] | None = None,
) -> tuple[EvalSet, EvalFileReport]:
    """What would be asked, and what the whole file came to. `rejects` are given the bad rows, byte for byte.

    JSONL, JSON (an array, or an object that holds one under `rows` or `examples`), CSV and Parquet, plain or gzip.
    `columns` tells by hand what columns are: column -> prompt, expected_answer, id or system. Raises UnreadableFile.
    """
    label = name or (str(source) if isinstance(source, Path) else "standard input")
    _, container, raw = raw_rows(source, label, rejects=rejects, max_line_bytes=MAX_DOCUMENT_BYTES)
    rows = _opened(raw)
    first = list(islice(rows, DETECT_ROWS))
    reading = _told(label, first, columns) if columns else _reading(label, first)
    kept = Kept(label)
    for row in chain(first, rows):
        if not _take(row, reading, kept) and rejects is not None:
            rejects.add(row)
    groups = kept.groups()
    asked = [
        EvalRow(one.own_id, one.prompt, one.reference, one.system, groups_of(one, list(groups)))
        for one in kept.rows[:limit]
    ]
    ref = EvalSetRef("file", Path(label).name, rows_hash(asked), len(asked))
    report = EvalFileReport(
        file=label,
        container=container,
        format=reading.name,
        columns=reading.columns.to_dict() if reading.columns else {},
        read=kept.read,
        rows=len(kept.rows),
        duplicate=kept.duplicate,
        rejected=kept.rejected,
        groups=groups,
        errors=tuple(kept.errors),
    )
    return EvalSet(ref, asked), report


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the rows of a file are understood: by the names of their columns, or by a format."""

    columns: EvalColumns | None
    form: Format | None

    @property
    def name(self) -> str:
        return self.form.NAME if self.form else COLUMNS

    def read(self, plain: Mapping[str, Any], exact: Mapping[str, Any]) -> Iterator[Asked | InvalidTrace]:
        """What a row asks, or its faults."""
        try:
            if self.columns is not None:
                yield self.columns.read(exact)
            elif self.form is not None:
                yield from _asked(self.form, plain, exact)
        except InvalidTrace as fault:
            yield fault


def _asked(form: Format, plain: Mapping[str, Any], exact: Mapping[str, Any]) -> Iterator[Asked | InvalidTrace]:
    items = form.read(dict(plain), Options())
    fields = form.columns(dict(plain))
    known = {name for name, field in fields.items() if field not in ("meta", "source", "model")}
    others = scalars(exact, known)
    given = id_of(exact) if len(items) == 1 else None
    for item in items:
        if isinstance(item, InvalidTrace):
            yield item
            continue
        made = item.trace if isinstance(item, ScoredTrace) else item
        yield Asked(given, made.prompt, made.reference_answer or made.final_answer, made.system, others)


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


def _reading(name: str, first: list[RawRow]) -> _Reading:
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


def _take(raw: RawRow, reading: _Reading, kept: Kept) -> bool:
    """Whether nothing of the row was refused."""
    exact, plain = exact_row(raw), parsed(raw).value
    if isinstance(exact, BadRow):
        kept.reject(raw.line, exact.field, exact.reason)
        return False
    good = True
    names = reading.columns.to_dict() if reading.columns else {}
    # a number that is too large for a format is none for a column of text
    for item in reading.read(exact if isinstance(plain, BadRow) or plain is None else plain, exact):
        if isinstance(item, InvalidTrace):
            kept.reject(raw.line, item.field, item.reason)
            good = False
        else:
            good = kept.add(raw.line, item, names) and good
    return good


def _opened(rows: Iterator[RawRow]) -> Iterator[RawRow]:
    """The rows, and in place of an object that is no row but holds them, those."""
    for row in rows:
        value = parsed(row).object if row.value is None else None
        if value is not None and _is_envelope(value):
            yield from rows_under(row, _ENVELOPES)
        else:
            yield row


def _is_envelope(value: Mapping[str, Any]) -> bool:
    held: list[Any] = next((value[key] for key in value if key in _ENVELOPES and isinstance(value[key], list)), [])
    return bool(held) and isinstance(held[0], dict) and find_columns([value]) is None and "messages" not in value


def _why_nothing(first: list[RawRow]) -> str:
    for row in first:
        if isinstance(found := parsed(row).value, BadRow):
            return f"no row could be read. Line {row.line}: {found.field + ': ' if found.field else ''}{found.reason}."
    return "it is empty."
