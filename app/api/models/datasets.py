"""Responses about datasets: versions, gates, differences, builds."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class HeldRows(BaseModel):
    """A dataset version that lists traces which are deleted, or are about to be."""

    name: str
    version: int
    rows: int = Field(description="Number of these traces.")
    runs: list[str] = Field(description="Runs made from the version.")
    evaluations: list[str] = Field(description="Evaluations of these runs.")


class DatasetVersion(BaseModel):
    name: str
    version: int
    spec: dict[str, Any]
    content_hash: str
    train_rows: int
    eval_rows: int
    parent: int | None
    created_at: datetime
    left_out: dict[str, int] | None = Field(
        None,
        description="Traces that match the filters and became no row, by the reason: negative example, gate NAME, "
        "same prompt, selection. In the reply of a build; null elsewhere.",
    )
    missing: HeldRows | None = Field(None, description="Its rows whose traces were deleted; null if it has all.")


class DatasetEntry(BaseModel):
    name: str
    versions: int = Field(description="Number of versions.")
    latest: DatasetVersion


class DatasetList(BaseModel):
    datasets: list[DatasetEntry]


class DatasetVersions(BaseModel):
    name: str
    versions: list[DatasetVersion]


class ExportCounts(BaseModel):
    """The size of an export."""

    rows: int
    left_out: dict[str, int] = Field(description="Traces that give no row, by the reason.")


class GateOutcome(BaseModel):
    gate: str
    version: int
    action: Literal["warn", "exclude"]
    settings: dict[str, Any]
    checked: int = Field(description="Number of rows checked.")
    counts: dict[str, int] = Field(description="Number of rows per outcome.")
    rows: int = Field(description="Number of rows found.")
    notes: dict[str, str]


class GateOutcomes(BaseModel):
    gates: list[GateOutcome] = Field(description="Gates in order of application; empty if none were chosen.")


class GateFinding(BaseModel):
    position: int
    id: str = Field(description="Hash of the trace.")
    reason: str
    words: str = Field(description="Reason, in one sentence.")
    detail: dict[str, Any] = Field(description="field, start, end; other and jaccard; eval; or value.")
    prompt: str | None = Field(description="Null if the trace was deleted.")
    span: str | None = Field(description="Stretch of text that the finding is about.")
    differs: str | None = Field(description="Word diff against the other row: `[-removed-]{+added+}`.")


class GateFindings(BaseModel):
    findings: list[GateFinding]
    next: int | None = Field(description="Cursor to send as `after` for the next page; null on the last page.")


class ChangedRow(BaseModel):
    """Two traces with the same prompt and different content."""

    before: str
    after: str


class DatasetDiff(BaseModel):
    """Traces by their hashes."""

    added: list[str]
    removed: list[str]
    moved: list[str] = Field(description="Traces that are now on the other side of the split.")
    changed: list[ChangedRow]
    kept: int
