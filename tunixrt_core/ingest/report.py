"""Import report: counts that add up, and each rejected row with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

MAX_ERRORS_KEPT = 1_000  # the counts stay exact beyond it
MAX_WARNINGS_KEPT = 50
Unit = Literal["line", "row"]


def unit_of(container: str) -> Unit:
    """What the rows of a file are counted in: a table has no lines, nor have rows inside of one object."""
    return "line" if container in ("jsonl", "json", "csv") else "row"


@dataclass(frozen=True, slots=True)
class RowError:
    """One trace that could not be made. `line` counts from 1, in `unit`; `field` is a path such as
    `steps[2].content`, or empty.
    """

    file: str
    line: int
    field: str
    reason: str
    unit: Unit = "line"

    @property
    def place(self) -> str:
        """`12` for a line, as compilers say it; `row 12` where there are none."""
        return str(self.line) if self.unit == "line" else f"row {self.line}"

    def __str__(self) -> str:
        return f"{self.file}:{self.place}: {self.field + ': ' if self.field else ''}{self.reason}"

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


Read = Trace | ScoredTrace | RowError


class ReadWarning(NamedTuple):
    """What an import made of rows that may be meant otherwise, how many there are, and the first of them."""

    text: str
    times: int
    first_line: int


class Warnings:
    """Counts warnings by their text; of many different ones the first are kept."""

    def __init__(self) -> None:
        self._found: dict[str, list[int]] = {}

    def add(self, text: str, line: int, times: int = 1) -> None:
        if text in self._found or len(self._found) < MAX_WARNINGS_KEPT:
            self._found.setdefault(text, [0, line])[0] += times

    @property
    def found(self) -> tuple[ReadWarning, ...]:
        return tuple(ReadWarning(text, times, first) for text, (times, first) in self._found.items())


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The outcome of one import. `errors` keeps the first 1,000 rejected ones; `seconds` is wall time; `notes` are as
    those of a preview.

    `read` counts what the rows gave: traces, and faults in place of traces. A row may give several.
    """

    file: str
    format: str
    read: int
    inserted: int
    duplicate: int
    rejected: int
    errors: tuple[RowError, ...]
    seconds: float
    scores: int = 0
    warnings: tuple[ReadWarning, ...] = ()
    notes: tuple[str, ...] = ()  # how the file is read, where that is not plain

    @property
    def balanced(self) -> bool:
        """True when everything read is accounted for. Anything else is a bug."""
        return self.read == self.inserted + self.duplicate + self.rejected

    def to_dict(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "format": self.format,
            "read": self.read,
            "inserted": self.inserted,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
            "balanced": self.balanced,
            "scores": self.scores,
            "errors": [error.to_dict() for error in self.errors],
            "warnings": [warning._asdict() for warning in self.warnings],
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


class ImportProgress(NamedTuple):
    """How far an import is: traces read, bytes of the file read and in all (None where that is not known)."""

    read: int
    bytes_read: int
    bytes_total: int | None
    seconds: float

    @property
    def rate(self) -> float:
        """Traces per second."""
        return self.read / self.seconds if self.seconds > 0 else 0.0

    @property
    def share(self) -> float | None:
        """Of the bytes, 0 to 1; None where it is not known."""
        return min(1.0, self.bytes_read / self.bytes_total) if self.bytes_total else None

    @property
    def seconds_left(self) -> float | None:
        share = self.share
        return self.seconds * (1 - share) / share if share else None


class Tally:
    """Counts what streams from a reader into the store, and makes the report at the end."""

    def __init__(self, file: str, format: str) -> None:
        self.file = file
        self.format = format
        self.read = 0
        self.rejected = 0
        self.scores = 0
        self.errors: list[RowError] = []

    def traces(self, rows: Iterable[Read]) -> Iterator[Trace | ScoredTrace]:
        """Pass traces on, keep row errors."""
        for row in rows:
            self.read += 1
            if isinstance(row, RowError):
                self.rejected += 1
                if len(self.errors) < MAX_ERRORS_KEPT:
                    self.errors.append(row)
                continue
            if isinstance(row, ScoredTrace):
                self.scores += len(row.scores)
            yield row

    def report(
        self, *, inserted: int, duplicate: int, seconds: float, warnings: tuple[ReadWarning, ...] = ()
    ) -> ImportReport:
        return ImportReport(
            file=self.file,
            format=self.format,
            read=self.read,
            inserted=inserted,
            duplicate=duplicate,
            rejected=self.rejected,
            errors=tuple(self.errors),
            seconds=seconds,
            scores=self.scores,
            warnings=warnings,
        )


class Column(NamedTuple):
    """A column of a file, the field of a trace that it becomes, and how its first two different values begin."""

    name: str
    field: str
    samples: tuple[str, ...]


class PreviewRow(NamedTuple):
    """A row and what it would become: traces in their JSON form, or errors."""

    line: int
    traces: tuple[dict[str, Any], ...]
    scores: int
    errors: tuple[RowError, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import would make of the first rows; nothing is stored. `good` and `bad` count rows of the sample."""

    file: str
    container: str
    format: str
    sure: str
    why: str
    columns: tuple[Column, ...]
    nested: tuple[Column, ...]  # inside of those, to a depth of four; no field where they stay a part of theirs
    rows: tuple[PreviewRow, ...]
    good: int
    bad: int
    whole: bool  # whether the sample is all there is
    warnings: tuple[ReadWarning, ...] = ()
    notes: tuple[str, ...] = ()  # how the file is read, where that is not plain
    rejected: tuple[RowError, ...] = ()  # the first ones, in the order of the file

    @property
    def unit(self) -> Unit:
        return unit_of(self.container)

    @property
    def told(self) -> tuple[Column, ...]:
        """The columns, and those inside of them that become a field of their own."""
        return (*self.columns, *(column for column in self.nested if column.field))

    def to_dict(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "container": self.container,
            "format": self.format,
            "sure": self.sure,
            "why": self.why,
            "columns": [column._asdict() for column in self.columns],
            "nested": [column._asdict() for column in self.nested],
            "rows": [row._asdict() | {"errors": [e.to_dict() for e in row.errors]} for row in self.rows],
            "good": self.good,
            "bad": self.bad,
            "whole": self.whole,
            "warnings": [warning._asdict() for warning in self.warnings],
            "notes": list(self.notes),
            "rejected": [error.to_dict() for error in self.rejected],
        }


class Reason(NamedTuple):
    """Why rows were rejected, numbers left out, how often, and the first such row."""

    field: str
    reason: str
    times: int
    first_line: int


class Twin(NamedTuple):
    """A row that gives a trace that an earlier row gave."""

    line: int
    first_line: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is in a file, all of it read and nothing stored: read = unique + duplicate + rejected."""

    file: str
    container: str
    format: str
    sure: str
    why: str
    rows: int
    read: int
    unique: int
    duplicate: int
    rejected: int
    scores: int
    reasons: tuple[Reason, ...]
    errors: tuple[RowError, ...]
    twins: tuple[Twin, ...]
    seconds: float
    warnings: tuple[ReadWarning, ...] = ()
    notes: tuple[str, ...] = ()  # how the file is read, where that is not plain

    @property
    def unit(self) -> Unit:
        return unit_of(self.container)

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__}
        return plain | {
            "reasons": [reason._asdict() for reason in self.reasons],
            "errors": [error.to_dict() for error in self.errors],
            "twins": [twin._asdict() for twin in self.twins],
            "warnings": [warning._asdict() for warning in self.warnings],
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }
