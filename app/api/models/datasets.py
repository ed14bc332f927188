"""Responses about datasets: versions, gates, differences, builds."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class DatasetVersion(BaseModel):
    name: str
    version: int
    spec: dict[str, Any]
    content_hash: str
    train_rows: int
    eval_rows: int
    parent: int | None
    created_at: datetime


class DatasetEntry(BaseModel):
    name: str
    versions: int = Field(description="How many there are.")
    latest: DatasetVersion


class DatasetList(BaseModel):
    datasets: list[DatasetEntry]


class DatasetVersions(BaseModel):
    name: str
    versions: list[DatasetVersion]


class GateOutcome(BaseModel):
    gate: str
    version: int
    action: Literal["warn", "exclude"]
    settings: dict[str, Any]
    checked: int = Field(description="Rows that it looked at.")
    counts: dict[str, int] = Field(description="Rows by outcome.")
    rows: int = Field(description="Rows that it found.")
    notes: dict[str, str]


class GateOutcomes(BaseModel):
    gates: list[GateOutcome] = Field(description="In the order in which they were applied; empty without gates.")


class GateFinding(BaseModel):
    position: int
    id: str = Field(description="Hash of the trace.")
    reason: str
    words: str = Field(description="Why, in a sentence.")
    detail: dict[str, Any] = Field(description="field, start, end; other and jaccard; eval; or value.")
    prompt: str | None = Field(description="Null where the trace was deleted.")
    span: str | None = Field(description="The stretch of text that it is about.")
    differs: str | None = Field(description="Against the other row, word by word: `[-gone-]{+come+}`.")


class GateFindings(BaseModel):
    findings: list[GateFinding]
    next: int | None = Field(description="Send it as `after` for the next page; null on the last.")


class ChangedRow(BaseModel):
    """Two traces of the same prompt with other content."""

    before: str
    after: str


class DatasetDiff(BaseModel):
    """Traces by their hashes."""

    added: list[str]
    removed: list[str]
    moved: list[str] = Field(description="On the other side of the split now.")
    changed: list[ChangedRow]
    kept: int
