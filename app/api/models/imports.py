"""Responses of imports: reports, rejected rows, previews, diagnoses."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

_NOTES = "How the file is read where that is not plain: its encoding, where its rows are, what is left out."


class AddedTrace(BaseModel):
    id: str
    duplicate: bool


class RowError(BaseModel):
    file: str
    line: int = Field(description="Line number, from 1; row number if the file has no lines.")
    field: str
    reason: str
    unit: Literal["line", "row"] = Field(description="What `line` counts: rows in Parquet.")


class ReadWarning(BaseModel):
    text: str
    times: int = Field(description="Number of rows, or of traces if a row contains several.")
    first_line: int


class StoredReport(BaseModel):
    """read = inserted + duplicate + rejected. At most 1,000 errors are listed."""

    file: str
    format: str
    read: int
    inserted: int
    duplicate: int
    rejected: int
    balanced: bool
    scores: int = Field(description="Number of scores imported with the traces.")
    errors: list[RowError]
    warnings: list[ReadWarning] = Field(default_factory=list, description="Rows that may be meant otherwise.")
    notes: list[str] = Field(default_factory=list, description=_NOTES)
    seconds: float


class ImportReport(StoredReport):
    rejects: str | None = Field(description="Address to download the rejected rows from, byte for byte; null if none.")


class Column(BaseModel):
    name: str
    field: str = Field(description="What it becomes: a field of the trace, meta, score.")
    samples: list[str] = Field(description="How its first two different values begin.")


class PreviewRow(BaseModel):
    line: int
    traces: list[dict[str, Any]]
    scores: int
    errors: list[RowError]


class Preview(BaseModel):
    """Preview of the first rows of a file. `good` and `bad` count rows of the sample."""

    file: str
    container: str
    format: str
    sure: str
    why: str
    columns: list[Column]
    nested: list[Column] = Field(description="Columns nested in those, which `map` may name; `field` may be empty.")
    rows: list[PreviewRow]
    good: int
    bad: int
    whole: bool = Field(description="Whether these are all rows that there are.")
    warnings: list[ReadWarning] = Field(description="Rows that may be meant otherwise.")
    notes: list[str] = Field(description=_NOTES)
    rejected: list[RowError] = Field(description="Why rows of the sample would be rejected, the first 20.")


class Reason(BaseModel):
    field: str
    reason: str
    times: int
    first_line: int


class Twin(BaseModel):
    line: int
    first_line: int


class Diagnosis(BaseModel):
    """read = unique + duplicate + rejected. At most 1,000 errors and 1,000 twins are listed."""

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
    reasons: list[Reason]
    errors: list[RowError]
    twins: list[Twin] = Field(description="Rows that give the same trace as an earlier one.")
    warnings: list[ReadWarning] = Field(description="Rows that may be meant otherwise.")
    notes: list[str] = Field(description=_NOTES)
    seconds: float
    rejects: str | None = Field(description="Address to download the rejected rows from, byte for byte; null if none.")
