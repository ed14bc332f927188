"""Responses about runs: records, comparisons, metrics, exports, queue."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, Field, WithJsonSchema

from app.api.models.checks import MadeManifest
from tunixrt_core.runs.metrics import Known, OtherMetric


class ModelExport(BaseModel):
    id: str
    run_id: str
    layout: str = Field(description="merged or peft.")
    status: str = Field(description="queued, running, succeeded, failed or stopped.")
    phase: str = Field(description="What it is doing: loading, writing, checking.")
    message: str = Field(description="Why it failed.")
    report: dict[str, Any] | None = Field(description="As export.json; null until it succeeded.")


class ExportedModel(BaseModel):
    format: str = Field(description="merged or peft.")
    report: dict[str, Any] = Field(description="As export.json: train step, files, bytes, checks, not_checked.")
    files: dict[str, int] = Field(description="Bytes by name; each can be downloaded.")


class ExportedModels(BaseModel):
    exports: list[ExportedModel]


class RunSummary(BaseModel):
    id: str
    name: str
    status: str
    message: str
    dataset: dict[str, Any] | None
    directory: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class RunPage(BaseModel):
    runs: list[RunSummary]
    next: str | None = Field(description="Send it as `after` for the next page; null on the last.")


class Change(BaseModel):
    """One value of a manifest that is not the same, by its dotted key."""

    key: str
    values: list[Any]


class ParentRun(BaseModel):
    """What a clone was made from."""

    run: str
    changed: list[Change] = Field(description="The value in the parent, then in the clone.")


class RunDetail(RunSummary):
    manifest: dict[str, Any]
    state: dict[str, Any] | None = Field(description="Phase, train step, device; null where its folder is gone.")
    parent: ParentRun | None = Field(description="Of a clone; null of a run that is none.")


class ClonedManifest(MadeManifest):
    changed: list[Change] = Field(description="What is not as in the run: its value there, then the new one.")


class RunsCompared(BaseModel):
    """All lists in the order of `runs`."""

    runs: list[RunSummary]
    differences: list[Change] = Field(description="Where the manifests differ: a value a run, null where it has none.")
    summaries: list[dict[str, Any]] = Field(description="Losses, best evaluation, time, tokens; null: not measured.")


class Holder(BaseModel):
    run: str
    kind: str = Field(description="train, evaluate or export.")
    since: float = Field(description="Unix seconds.")
    pid: int
    here: bool = Field(description="Whether it is this server; otherwise another process of the same home.")


class Job(BaseModel):
    id: str = Field(description="Of the run, or of the evaluation.")
    run: str
    kind: str


class Queue(BaseModel):
    holder: Holder | None = Field(description="Who holds the accelerator.")
    waiting: list[Job] = Field(description="In the order in which they will begin.")


def _metric_schema() -> dict[str, Any]:
    """The records of runs.metrics as JSON Schema."""
    _, found = msgspec.json.schema_components([Known, OtherMetric])
    return {"title": "Metric", "description": "One record, by its kind.", "anyOf": [*found.values()]}


class Metrics(BaseModel):
    records: list[Annotated[dict[str, Any], WithJsonSchema(_metric_schema())]]
    next: int = Field(description="Send it as `since` to get only what is new.")
