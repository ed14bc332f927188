"""What an import did: counts that always add up, and each rejected row with its line, field and reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tunixrt_core.traces import Trace

MAX_ERRORS_KEPT = 1_000  # the counts stay exact beyond it


@dataclass(frozen=True, slots=True)
class RowError:
    """One row that is not a trace. `line` counts from 1; `field` is a path such as `steps[2].content`, or empty."""

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field + ': ' if self.field else ''}{self.reason}"

    def to_dict(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line, "field": self.field, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The outcome of one import. `errors` keeps the first 1,000 rejected rows; `seconds` is wall time."""

    file: str
    format: str
    read: int
    inserted: int
    duplicate: int
    rejected: int
    errors: tuple[RowError, ...]
    seconds: float

    @property
    def balanced(self) -> bool:
        """True when every row read is accounted for. Anything else is a bug."""
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
            "errors": [error.to_dict() for error in self.errors],
            "seconds": round(self.seconds, 3),
        }


class Tally:
    """Counts rows while they stream from a reader into the store, and makes the report at the end."""

    def __init__(self, file: str, format: str) -> None:
        self.file = file
        self.format = format
        self.read = 0
        self.rejected = 0
        self.errors: list[RowError] = []

    def traces(self, rows: Iterable[Trace | RowError]) -> Iterator[Trace]:
        """Pass traces on, keep row errors."""
        for row in rows:
            self.read += 1
            if isinstance(row, RowError):
                self.rejected += 1
                if len(self.errors) < MAX_ERRORS_KEPT:
                    self.errors.append(row)
            else:
                yield row

    def report(self, *, inserted: int, duplicate: int, seconds: float) -> ImportReport:
        return ImportReport(
            file=self.file,
            format=self.format,
            read=self.read,
            inserted=inserted,
            duplicate=duplicate,
            rejected=self.rejected,
            errors=tuple(self.errors),
            seconds=seconds,
        )
